"""A stand-in for the generator, and named so: the real server and protocol, but frames are painted.

python painting_backend.py -m backend serve --parent PID, as the add-on starts a backend; any other command is the
real one. A frame is the plain
warp of the reference with grey holes; a bar at its bottom moves on with every frame and its colour comes from
the seed and the state, so that a take continued from a wrong state looks different. INSPATIO_PAINT_SECONDS is
the time a block takes, INSPATIO_PAINT_STATE_BYTES how large its state claims to be.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import torch
from fakes import FakeState, small_presets

from backend import cli
from backend.constraint.splat import splat_views
from backend.life import serve
from backend.model.sampler import Cancelled
from backend.protocol import TOKEN_VARIABLE
from backend.protocol.blocks import block_size
from backend.service import Service
from backend.session import Block


class PaintingSession:
    """What the service asks of a session; its state is the count of blocks, which frames are painted by."""

    def __init__(
        self,
        preset,
        world,
        width,
        height,
        seed,
        prompt=None,
        keep_reference_detail=True,
        quality="final",
        remember=False,
    ) -> None:
        self.digest = preset.autoencoder(quality).digest
        self.next_block = 0
        self._world = world
        self._size = height, width
        self._seed = seed

    def warm_up(self, show, cancelled) -> None:
        seconds = float(os.environ.get("INSPATIO_PAINT_WARM_UP", "0"))
        began = time.monotonic()
        while (passed := time.monotonic() - began) < seconds:
            show("Preparing the steps of a later block", 0.25 if passed < seconds / 2 else 0.75)
            if cancelled():
                raise Cancelled
            time.sleep(0.02)

    def step(self, cameras, cancelled, following=None) -> Block:
        until = time.monotonic() + float(os.environ.get("INSPATIO_PAINT_SECONDS", "0"))
        while time.monotonic() < until:
            if cancelled():
                raise Cancelled
            time.sleep(0.02)
        world = self._world
        render = splat_views(
            world.pictures([0]),
            world.depth[:1],
            world.intrinsics[:1],
            world.world_to_camera[:1],
            torch.as_tensor(cameras.intrinsics),
            torch.as_tensor(cameras.world_to_camera),
            size=self._size,
        )
        colour = torch.where(render.known[:, None], render.colour, torch.zeros(()))
        frames = ((colour + 1) * 127.5).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
        for painted, frame in enumerate(frames, self._painted):
            at = 4 * painted % frame.shape[1]
            frame[-6:, at : at + 8] = (255, self._seed % 256, 7 * painted % 256)
        self.next_block += 1
        coverage = render.known.float().mean(dim=(1, 2)).tolist()
        return Block(frames, coverage, {"render": 1.0})

    @property
    def _painted(self) -> int:
        return sum(block_size(block) for block in range(self.next_block))

    @property
    def state(self) -> FakeState:
        return FakeState(self.next_block, self.snapshot_bytes if self.next_block else 0)

    def go_to(self, state: FakeState) -> None:
        self.next_block = state.block

    @property
    def snapshot_bytes(self) -> int:
        return int(os.environ.get("INSPATIO_PAINT_STATE_BYTES", "0"))

    def snapshot(self) -> bytes:
        return f"{self.next_block} {self._painted}".encode()

    def restore(self, data: bytes) -> None:
        block, painted = map(int, data.split())
        self.next_block = block
        assert self._painted == painted


if __name__ == "__main__":
    if sys.argv[3:4] != ["serve"]:
        sys.exit(cli.main(sys.argv[3:]))
    parser = argparse.ArgumentParser()
    parser.add_argument("-m", dest="module")
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("--parent", type=int)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        presets = small_presets(Path(folder))
        service = Service(presets, PaintingSession)
        service.warm("tiny")
        serve(service, os.environ.pop(TOKEN_VARIABLE), parent=asked.parent)
