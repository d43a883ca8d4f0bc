"""Memory that runs out, drivers that fail, and what is said of a device beforehand."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from fake_device import FakeCard
from fakes import FakeSession
from references import move, write_reference
from small_released import CPU, PRESET, make_text_encoder, small_presets_of, small_released

from backend import device as devices
from backend.device import Device, DeviceError, default_device
from backend.faults import is_device_lost, is_out_of_memory
from backend.plan import PLANS, STAYS, Plan
from backend.presets import LoadedPreset, PresetError, Presets
from backend.protocol.words import slowness
from backend.refusals import ServiceError
from backend.service import Service, TakeRequest
from backend.session import Block, CameraBlock
from backend.text import PromptEmbeddings, encoder_digest
from backend.world import digest_of

WIDTH, HEIGHT = 32, 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_released(tmp_path_factory.mktemp("weights"))


class FakeGreedySession(FakeSession):
    """Runs out of memory in its second block, but for the plans in `enough`; `plans` are those it was made with."""

    plans: list[Plan] = []
    enough: tuple[Plan, ...] = ()

    def __init__(self, preset: LoadedPreset, *arguments: object) -> None:
        super().__init__(preset, *arguments)  # type: ignore[arg-type]
        self.plan = preset.plan
        self.plans.append(preset.plan)

    def step(
        self, cameras: CameraBlock, cancelled: object = None, following: CameraBlock | None = None
    ) -> Block:
        if self.next_block and self.plan not in self.enough:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.00 GiB.")
        return super().step(cameras)


@pytest.mark.parametrize(
    ("error", "memory", "lost"),
    [
        (MemoryError(), True, False),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True, False),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), True, False),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes"), True, False),
        (RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"), True, False),
        (RuntimeError("CUDA error: out of memory"), True, False),
        (RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True, False),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False, True),
        (RuntimeError("CUDA error: unspecified launch failure"), False, True),
        (RuntimeError("CUDA driver error: device-side assert triggered"), False, True),
        (RuntimeError("shape '[2]' is invalid for input of size 3"), False, False),
        (RuntimeError("cannot share memory of this tensor"), False, False),
        (ValueError("out of memory"), False, False),
    ],
)
def test_what_an_error_says_of_the_device(error: Exception, memory: bool, lost: bool) -> None:
    assert is_out_of_memory(error) == memory
    assert is_device_lost(error) == lost


@pytest.mark.skipif(not hasattr(torch, "AcceleratorError"), reason="an older torch")
def test_an_error_of_the_accelerator_is_a_lost_device() -> None:
    assert is_device_lost(torch.AcceleratorError("CUDA error: the launch timed out"))


def open_service(folder: Path, tmp_path: Path, device: Device) -> tuple[Service, TakeRequest]:
    service = Service(small_presets_of(folder, device), FakeGreedySession)
    written = write_reference(tmp_path, WIDTH, HEIGHT)
    files = {name: memoryview((tmp_path / name).read_bytes()) for name in written.file_names}
    digest = digest_of(written, files)
    service.put_reference(digest, written, files)
    return service, TakeRequest(digest, PRESET, WIDTH, HEIGHT, 1, quality="final")


def blocks(service: Service, request: TakeRequest) -> None:
    """Generate the first two blocks of a new take."""
    take = service.open_take(request)["take"]
    for block in range(2):
        service.generate(take, block, move(21, WIDTH, HEIGHT).block(block), threading.Event())


def test_after_running_out_of_memory_continuing_takes_a_smaller_plan(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, request = open_service(folder, tmp_path, FakeCard())
    made: list[Plan] = []
    monkeypatch.setattr(FakeGreedySession, "plans", made)
    monkeypatch.setattr(FakeGreedySession, "enough", (Plan("visits", "visits"), Plan("streams", "visits")))
    refused = []
    for _ in PLANS:
        try:
            blocks(service, request)
            break
        except ServiceError as error:
            refused.append(error)
    assert {(error.status, error.code) for error in refused} == {(507, "out_of_memory")}
    said = [error.message for error in refused]
    assert made[:2] == [Plan(ahead=True), STAYS]
    assert made[-1] in (Plan("visits", "visits"), Plan("streams", "visits"))
    assert len(made) == len(set(made)) == len(said) + 1 <= len(PLANS)
    for message in said:
        assert "at 32x16 ran out of memory: it needs 0.0 GB, 1000.0 GB were free." in message
        assert "Continue with less memory" in message and message.endswith("% longer.")
    # Another size has not failed, and begins anew.
    blocks_of = TakeRequest(request.reference, PRESET, 48, 32, 1, quality="final")
    service.open_take(blocks_of)
    assert made[-1] == Plan(ahead=True)


def test_where_there_is_no_smaller_plan_other_ways_are_named(folder: Path, tmp_path: Path) -> None:
    service, request = open_service(folder, tmp_path, CPU)
    for _ in range(2):
        with pytest.raises(ServiceError, match=r"ran out of memory.*choose Draft or a smaller size"):
            blocks(service, request)


def test_a_take_that_ran_out_of_memory_is_closed(folder: Path, tmp_path: Path) -> None:
    service, request = open_service(folder, tmp_path, FakeCard())
    take = service.open_take(request)["take"]
    cameras = move(21, WIDTH, HEIGHT)
    service.generate(take, 0, cameras.block(0), threading.Event())
    for code in ("out_of_memory", "not_found"):
        with pytest.raises(ServiceError) as raised:
            service.generate(take, 1, cameras.block(1), threading.Event())
        assert raised.value.code == code


def test_what_a_take_needs_is_said_before_it_begins(folder: Path) -> None:
    from backend.plan import Asked

    asked = Asked(PRESET, 96, 64, "final")
    said = Service(small_presets_of(folder)).plan(asked)
    assert said["needs_mb"] > 10 and said["free_mb"] > 100 and said["fits"]
    assert said["words"].startswith("Needs 0.0 GB, ") and said["words"].endswith(" GB free")
    assert 0 < said["seconds_per_frame"] < 60
    full = Service(small_presets_of(folder, FakeCard(free=1_000_000))).plan(asked)
    assert not full["fits"] and full["seconds_per_frame"] is None
    assert full["needs_mb"] < said["needs_mb"]


@pytest.mark.parametrize(
    ("seconds", "fps", "words"),
    [(0.5, 24, "About 12 s"), (10, 24, "About 4 min"), (4.9, 24, "About 118 s"), (400, 24, "About 3 h")],
)
def test_how_slow_in_words(seconds: float, fps: float, words: str) -> None:
    assert slowness(seconds, fps) == f"{words} per second of film on this device"


@pytest.fixture
def undecided() -> Iterator[None]:
    """Nothing is remembered of the device, before and after."""
    for remembered in (default_device, devices.cuda_trouble):
        remembered.cache_clear()
    yield
    for remembered in (default_device, devices.cuda_trouble):
        remembered.cache_clear()


def too_old() -> None:
    raise RuntimeError("The NVIDIA driver on your system is too old (found version 11040).\nPlease update")


@pytest.mark.usefixtures("undecided")
def test_a_driver_that_is_too_old_is_said_and_the_cpu_only_taken_when_asked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "init", too_old)
    with pytest.raises(DeviceError, match=r"driver is too old .*CUDA 13\.0.*update the driver"):
        default_device()
    presets = Presets(downloaded=folder)
    assert "update the driver" in presets.trouble == Service(presets).status()["trouble"]
    with pytest.raises(PresetError):
        presets.load(PRESET)
    assert presets.load("tiny").device.torch_device.type == "cpu"
    default_device.cache_clear()
    monkeypatch.setenv("INSPATIO_DEVICE", "cpu")
    assert default_device() == devices.CPU
    assert presets.trouble == ""


@pytest.mark.usefixtures("undecided")
@pytest.mark.parametrize(
    ("capability", "built", "fine"),
    [
        ((5, 2), ["sm_75", "sm_80", "sm_90", "compute_90"], False),
        ((7, 5), ["sm_75", "sm_80"], True),
        ((8, 9), ["sm_75", "sm_80"], True),
        ((12, 0), ["sm_75", "sm_90"], False),
        ((12, 0), ["sm_75", "compute_90"], True),
        ((12, 0), ["sm_90", "sm_100a", "sm_120a"], True),
    ],
)
def test_a_card_that_torch_was_not_built_for(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], built: list[str], fine: bool
) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: built)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Card")
    assert (devices.cuda_trouble() == "") == fine


class FakeFullCard(Device):
    """A card without a free byte: what is sent there fails, since there is none."""

    def free_bytes(self) -> int:
        return 0


def test_the_text_encoder_stays_with_the_host_where_the_card_is_full(tmp_path: Path) -> None:
    weights = make_text_encoder(tmp_path / "wan")
    full = FakeFullCard(torch.device("cuda"), torch.float32)
    here, there = (
        PromptEmbeddings(weights, encoder_digest(weights), tmp_path / name, device, 32).embedding(
            "a red room"
        )
        for name, device in (("cpu", CPU), ("card", full))
    )
    assert torch.equal(here, there)
