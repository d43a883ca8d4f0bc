"""Stand-ins, and named as such: a small preset with random weights, and a session that generates nothing real.

`small_presets` writes the weights of a tiny generator and autoencoder, untrained, to a folder and loads them as
the product loads its own: everything but the pictures' worth is real. `FakeSession` is for tests of what lies
around a session: it paints blocks in plain colours, and its seed says how it behaves.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from backend.codec.tiny import TinyCodec, TinyCodecConfig
from backend.constraint.completion import Completion, CompletionConfig
from backend.model import CausalDiT, GeneratorConfig
from backend.model.sampler import Cancelled
from backend.presets import LoadedPreset, Presets
from backend.protocol.blocks import block_size
from backend.session import Block, CameraBlock, SessionError
from backend.world import World

SLOW, DEAF, GREEDY, BROKEN, LOST, COLD = 1001, 1002, 1003, 1004, 1005, 1006
"""Seeds of a FakeSession that takes 20 s and can be cancelled, that takes 3 s and cannot, that runs out of
memory, that fails, whose driver fails, and that takes seconds to warm up."""


torch.set_num_threads(1)  # What is this small is slower on two.


def small_presets(folder: Path) -> Presets:
    """Presets whose `tiny` is random and small."""
    target = folder / "tiny"
    target.mkdir(parents=True)
    torch.manual_seed(0)
    config = GeneratorConfig(
        dim=48, ffn_dim=96, num_heads=4, num_layers=2, freq_dim=32, latent_channels=8, text_dim=0
    )
    dit = CausalDiT(config)
    save_file(dit.state_dict(), target / "generator.safetensors", {"config": json.dumps(asdict(config))})
    codec = TinyCodec(TinyCodecConfig(8, (16, 16, 16), (1, 1, 1)))
    codec.basis.copy_(torch.linalg.qr(torch.randn(768, 8)).Q.T)
    torch.nn.init.normal_(codec.head.weight, std=0.02)
    codec.save(target / "codec.safetensors")
    completion = Completion(CompletionConfig((16, 16, 16, 16), (1, 1, 1, 1)))
    torch.nn.init.normal_(completion.head.weight, std=0.02)
    completion.save(target / "completion.safetensors")
    described = {
        "format": "inspatio-preset",
        "version": 1,
        "label": "Small and random",
        "width": 64,
        "height": 48,
        "multiple": 16,
        "keep_reference_detail": True,
    }
    (target / "preset.json").write_text(json.dumps(described))
    return Presets(folder, folder / "downloaded")


@dataclass(frozen=True)
class FakeState:
    """The state of a session that has none but the number of its next block; `host_bytes` is what it claims to take."""

    block: int
    host_bytes: int = 0

    def on_host(self) -> FakeState:
        return self


class FakeSession:
    """Paints block b in the colour (b, seed % 256, 0); its snapshot is the block's number."""

    def __init__(
        self,
        preset: LoadedPreset,
        world: World,
        width: int,
        height: int,
        seed: int,
        prompt: str | None = None,
        keep_reference_detail: bool = True,
        quality: str = "final",
        remember: bool = False,
    ) -> None:
        if remember and world.geometry is None:
            raise SessionError("There is no geometry.")
        self.next_block = 0
        self.digest = preset.autoencoder(quality).digest
        self._size = height, width
        self._seed = seed

    def warm_up(self, show: Callable[[str, float], None], cancelled: Callable[[], bool]) -> None:
        if self._seed != COLD:
            return
        for share in (0.25, 0.75):
            show("Preparing the context of a later block", share)
            for _ in range(75):
                if cancelled():
                    raise Cancelled
                time.sleep(0.02)

    def step(
        self,
        cameras: CameraBlock,
        cancelled: Callable[[], bool] = lambda: False,
        following: CameraBlock | None = None,
    ) -> Block:
        count = block_size(self.next_block)
        if len(cameras.times) != count:
            raise SessionError(f"Block {self.next_block} has {count} frames.")
        if self._seed == SLOW:
            for _ in range(400):
                if cancelled():
                    raise Cancelled
                time.sleep(0.05)
        if self._seed == DEAF:
            time.sleep(3.0)
        if self._seed == GREEDY:
            raise MemoryError
        if self._seed == BROKEN:
            raise RuntimeError("broken on purpose")
        if self._seed == LOST:
            raise RuntimeError("CUDA error: unspecified launch failure\nFor debugging consider passing ...")
        frames = np.empty((count, *self._size, 3), np.uint8)
        frames[:] = (self.next_block, self._seed % 256, 0)
        self.next_block += 1
        return Block(frames, [0.5] * count, {"render": 1.0})

    @property
    def state(self) -> FakeState:
        return FakeState(self.next_block)

    def go_to(self, state: FakeState) -> None:
        self.next_block = state.block

    @property
    def snapshot_bytes(self) -> int:
        return len(self.snapshot())

    def snapshot(self) -> bytes:
        return b"fake %d" % self.next_block

    def restore(self, data: bytes) -> None:
        if not data.startswith(b"fake "):
            raise SessionError("The saved state is damaged.")
        self.next_block = int(data[5:])
