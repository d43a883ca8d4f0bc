"""A generator made fast: the same numbers, compiled once for all layers before a take, and clear refusals."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from backend import device as devices
from backend.device import Device, DeviceError, why_not_fp8
from backend.model import Cancelled, CausalDiT, GeneratorConfig, accelerate
from backend.model.accelerate import AccelerationError, Accelerator, why_not_compiled

CPU = torch.device("cpu")
SIZE = (4, 6)


def generator(layers: int = 3) -> CausalDiT:
    torch.manual_seed(0)
    config = GeneratorConfig(
        dim=48,
        ffn_dim=96,
        num_heads=4,
        num_layers=layers,
        freq_dim=16,
        latent_channels=4,
        text_dim=8,
        text_len=5,
    )
    return CausalDiT(config).eval().requires_grad_(False)


@torch.inference_mode()
def two_blocks(dit: CausalDiT, size: tuple[int, int] = SIZE) -> Tensor:
    """A pass over a first block and one over a later block."""
    x = torch.randn(1, 3, 4, *size, generator=torch.Generator().manual_seed(1))
    text = dit.encode_text(torch.ones(1, 5, 8))
    first = dit.denoise(x, x, x, torch.tensor([1000.0]), dit.prefill(x, None, text), text)
    later = dit.denoise(x, x, x, torch.tensor([625.0]), dit.prefill(x, first, text), text)
    return torch.cat([first, later], dim=1)


class CountingBackend:
    """Runs a graph as it was traced, and counts them."""

    def __init__(self) -> None:
        self.graphs = 0

    def __call__(self, graph: torch.fx.GraphModule, inputs: list[Tensor]) -> object:
        self.graphs += 1
        return graph.forward


@pytest.mark.skipif(bool(why_not_compiled(CPU)), reason=why_not_compiled(CPU))
def test_a_compiled_layer_gives_the_same_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    dit = generator(layers=1)  # one graph: its two passes differ in context, and only one is expected
    expected = two_blocks(dit)
    accelerator = Accelerator(dit, CPU, compiling=True)
    assert accelerator.compiled
    assert accelerator._layer is not None
    accelerator._layer.expect(18)
    del accelerator._layer._compiled[18, 36]
    torch.testing.assert_close(two_blocks(dit), expected, atol=1e-5, rtol=1e-5)
    assert any(path.suffix == ".so" for path in tmp_path.rglob("*")), "nothing was kept on disk"


def test_layers_share_a_graph_for_each_shape_and_none_is_made_during_a_take() -> None:
    dit, backend, shown = generator(), CountingBackend(), []
    expected, expected_larger = two_blocks(dit), two_blocks(dit, (6, 6))
    accelerator = Accelerator(dit, CPU, compiling=True, backend=backend)
    accelerator.warm_up(*SIZE, show=lambda text, share: shown.append((text, share)))
    assert backend.graphs == 4
    assert [share for _, share in shown] == [0, 0.25, 0.5, 0.75, 1]
    assert all(text for text, _ in shown)

    def hook(module: nn.Module, inputs: object) -> None:  # as a session that can be cancelled has them
        logging.getLogger("asked").debug(str(module))

    hooks = [module.register_forward_pre_hook(hook) for module in dit.modules()]
    torch.testing.assert_close(two_blocks(dit), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(two_blocks(dit, (6, 6)), expected_larger, atol=1e-5, rtol=1e-5)
    assert backend.graphs == 4
    for handle in hooks:
        handle.remove()
    accelerator.warm_up(6, 6)
    assert backend.graphs == 8
    torch.testing.assert_close(two_blocks(dit, (6, 6)), expected_larger, atol=1e-5, rtol=1e-5)
    assert backend.graphs == 8


def test_a_warm_up_ends_between_two_steps() -> None:
    shown: list[str] = []
    with pytest.raises(Cancelled):
        Accelerator(generator(), CPU).warm_up(
            *SIZE, show=lambda text, share: shown.append(text), cancelled=lambda: len(shown) == 2
        )
    assert len(shown) == 2


def test_a_compiler_that_fails_costs_speed_alone(caplog: pytest.LogCaptureFixture) -> None:
    def broken(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> object:
        raise OSError("No space left on device")

    dit = generator()
    expected = two_blocks(dit)
    Accelerator(dit, CPU, compiling=True, backend=broken).warm_up(*SIZE)
    assert "No space left on device" in caplog.text
    caplog.clear()
    torch.testing.assert_close(two_blocks(dit), expected, atol=1e-5, rtol=1e-5)
    assert not caplog.text


def test_what_is_wrong_in_a_layer_is_not_taken_for_the_compiler() -> None:
    dit = generator()
    Accelerator(dit, CPU, compiling=True, backend=CountingBackend())
    with pytest.raises(RuntimeError, match="shape"):
        dit.blocks[0](torch.zeros(1, 18, 40), torch.zeros(1, 6, 48), None, None, None)


def test_a_cpu_is_not_compiled_for_unless_asked() -> None:
    dit = generator()
    expected = two_blocks(dit)
    assert not Accelerator(dit, CPU).compiled
    torch.testing.assert_close(two_blocks(dit), expected, atol=1e-5, rtol=1e-5)


def test_what_the_device_lacks_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(accelerate.shutil, "which", lambda name: None)
    with pytest.raises(AccelerationError, match=r"C\+\+ compiler"):
        Accelerator(generator(), CPU, compiling=True)
    monkeypatch.setattr(accelerate.importlib.util, "find_spec", lambda name: None)
    assert "triton" in why_not_compiled(torch.device("cuda"))
    assert "mps" in why_not_compiled(torch.device("mps"))


def test_a_precision_is_what_the_device_can_do(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device(CPU, torch.float32)
    assert device.in_precision("") is device
    for precision in ("bf16", "float32"):
        assert device.in_precision(precision).precision == precision
    with pytest.raises(DeviceError, match="NVIDIA GPU"):
        device.in_precision("fp8")
    with pytest.raises(DeviceError, match="bf16, fp8, float32"):
        device.in_precision("int4")
    cuda = Device(torch.device("cuda"), torch.bfloat16)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "H100")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.setattr(devices.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DeviceError, match="torchao"):
        cuda.in_precision("fp8")
    monkeypatch.setattr(devices.importlib.util, "find_spec", lambda name: object())
    fast = cuda.in_precision("fp8")
    assert (fast.precision, fast.dtype) == ("fp8", torch.bfloat16)
    assert fast.words != cuda.words
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    assert "Ada" in why_not_fp8(torch.device("cuda"))


@pytest.mark.skipif(
    not torch.cuda.is_available() or bool(why_not_fp8(torch.device("cuda"))),
    reason="fp8 needs an NVIDIA GPU of the Ada or Hopper generation, and torchao",
)
def test_fp8_stays_near_bfloat16() -> None:
    dit = generator().to("cuda", torch.bfloat16)
    expected = two_blocks(dit).float()
    Accelerator(dit, torch.device("cuda"), fp8=True, compiling=False)
    error = (two_blocks(dit).float() - expected).square().mean().sqrt() / expected.std()
    assert error < 0.1
