"""One piece of work beside the current one: on a thread, and on a CUDA device on a stream of its own.

    beside = Beside(work, stream)     begun; it sees everything that was launched before
    ...                               the current stream goes on
    beside.result()                   what `work` returned, for the current stream to use; None where it failed

The tensors of the result belong to the side stream's memory. They may be dropped once the current stream has finished
what it does with them, which a stage's end waits for.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import Generic, TypeVar

import torch

log = logging.getLogger(__name__)

Result = TypeVar("Result")


def side_stream(device: torch.device) -> torch.cuda.Stream | None:
    """A stream for work beside the current one; None where there is but one. Each has memory of its own: keep it."""
    return torch.cuda.Stream(device) if device.type == "cuda" else None


class Beside(Generic[Result]):
    """Work that has been begun, in inference mode. `result` comes before anything that it uses is changed."""

    def __init__(self, work: Callable[[], Result], stream: torch.cuda.Stream | None) -> None:
        self._work = work
        self._stream = stream
        self._result: Result | None = None
        if stream is not None:
            stream.wait_stream(torch.cuda.current_stream(stream.device))
        self._thread = threading.Thread(target=self._run, name="inspatio-beside", daemon=True)
        self._thread.start()

    def result(self) -> Result | None:
        """Wait for the work, and return its result. None where it failed: then it has to be done in its turn."""
        self._thread.join()
        if self._stream is not None:
            torch.cuda.current_stream(self._stream.device).wait_stream(self._stream)
        return self._result

    def _run(self) -> None:
        try:
            with (
                torch.inference_mode(),
                nullcontext() if self._stream is None else torch.cuda.stream(self._stream),
            ):
                self._result = self._work()
        except Exception as error:  # Whatever it is, it shows again when the work is done in its turn.
            log.info("work beside a step was given up: %s: %s", type(error).__name__, error)
