"""One process that trains, or several that each take a share of every step, on as many GPUs or over gloo on CPUs.

    torchrun --standalone --nproc_per_node 8 -m backend train CONFIG jdmd

Each process draws its own batch; gradients are averaged, so that all make the same step. There is no wrapper around
a network: a rollout calls a generator many times before one backward pass, and what has to agree are the gradients.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

BUCKET = 1 << 24
"""Numbers that are averaged at once: one exchange a parameter would mostly wait."""


@dataclass(frozen=True)
class Fleet:
    """A process among `count`, the `rank`-th. accelerator: what connects them; none where there is one process."""

    rank: int = 0
    count: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    accelerator: Any = None

    @property
    def leads(self) -> bool:
        """Whether this process writes files and says how it goes."""
        return self.rank == 0

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Give every process the mean of all processes' gradients."""
        self.average(p.grad for p in parameters if p.grad is not None)

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Give every process the mean of all processes' tensors, in place."""
        if self.accelerator is None:
            return
        for bucket in _buckets(list(tensors)):
            mean = self.accelerator.reduce(torch.cat([each.flatten() for each in bucket]), reduction="mean")
            for each, part in zip(bucket, mean.split([each.numel() for each in bucket]), strict=True):
                each.copy_(part.view_as(each))

    def wait(self) -> None:
        """Until all processes are here."""
        if self.accelerator is not None:
            self.accelerator.wait_for_everyone()

    def any(self, here: bool) -> bool:
        """Whether it is so in one of the processes."""
        if self.accelerator is None:
            return here
        told = torch.tensor(float(here), device=self.device)
        return bool(self.accelerator.reduce(told, reduction="sum") > 0)


def join() -> Fleet:
    """The fleet that `torchrun`, or accelerate on GPUs, has started this process for; or a process alone."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        return Fleet(device=torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    return Fleet(accelerator.process_index, accelerator.num_processes, accelerator.device, accelerator)


def _buckets(tensors: list[Tensor]) -> Iterator[list[Tensor]]:
    bucket: list[Tensor] = []
    for tensor in tensors:
        if bucket and sum(each.numel() for each in bucket) + tensor.numel() > BUCKET:
            yield bucket
            bucket = []
        bucket.append(tensor)
    if bucket:
        yield bucket
