"""Plans of memory: what they say is needed is what is alive, what they move is there when it is used, and frames stay.

The networks are small and random; the card is a `FakeCard`, whose memory is the CPU's.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fake_device import FakeCard, NothingOfTheHosts
from references import move, write_reference
from small_released import CONFIG, PRESET, SMALL, small_presets_of, small_released
from torch import nn
from torch.testing._internal.two_tensor import TwoTensor

from backend.counting import count
from backend.model import CausalDiT
from backend.model.sampler import Cancelled
from backend.plan import PLANS, STAYS, USES, Asked, Choice, Plan, choose, with_margin
from backend.presets import LoadedPreset
from backend.residency import Networks, Residency
from backend.session import Session, SessionError, camera_block, check_size
from backend.world import World, load_world

WIDTH, HEIGHT = 32, 16
IDS = ["ahead" if plan.ahead else f"{plan.generator}-{plan.autoencoder}" for plan in PLANS]


class FakeBeside:
    """Does the work at once, on the same thread."""

    def __init__(self, work: Callable[[], object], stream: None) -> None:
        self._result = work()

    def result(self) -> object:
        return self._result


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_released(tmp_path_factory.mktemp("weights"))


@pytest.fixture
def preset(folder: Path) -> LoadedPreset:
    return small_presets_of(folder, FakeCard()).load(PRESET)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, World]:
    where = tmp_path_factory.mktemp("references")
    write_reference(where / "still", 96, 64, "still", 1)
    write_reference(where / "moving", 96, 64, "moving", 40)
    return {kind: load_world(where / kind)[0] for kind in ("still", "moving")}


def step(session: Session, block: int, size: tuple[int, int] = (WIDTH, HEIGHT)) -> np.ndarray:
    cameras = move(45, *size)
    after = camera_block(cameras.block(block + 1))
    return session.step(camera_block(cameras.block(block)), following=after).frames


@pytest.mark.parametrize(
    ("plan", "quality"), [*((plan, "final") for plan in PLANS[1:]), (Plan("visits", "visits"), "draft")]
)
def test_every_plan_gives_the_same_frames_and_continues_and_forgets_what_was_cancelled(
    folder: Path, worlds: dict[str, World], quality: str, plan: Plan
) -> None:
    loaded = small_presets_of(folder, FakeCard()).load(PRESET)

    def session(plan: Plan) -> Session:
        return Session(loaded.under(plan), worlds["moving"], WIDTH, HEIGHT, 5, "a red room", False, quality)

    usual = session(STAYS)
    whole = [step(usual, block) for block in range(2)]
    other = session(plan)
    with NothingOfTheHosts():
        assert np.array_equal(step(other, 0), whole[0])
        for calls in (2, 40, 100, 150):
            asked = itertools.count()
            with pytest.raises(Cancelled):
                other.step(
                    camera_block(move(33, WIDTH, HEIGHT).block(1)),
                    lambda: next(asked) >= calls,  # noqa: B023
                )
    resumed = session(plan)
    resumed.restore(other.snapshot())
    for going_on in (other, resumed):
        assert np.array_equal(step(going_on, 1), whole[1])
    # A session of another plan beside it finds everything where it needs it.
    assert np.array_equal(step(session(STAYS), 0), whole[0])


@pytest.mark.parametrize("plan", PLANS, ids=IDS)
def test_what_a_stage_uses_is_on_the_device_and_what_the_plan_lets_go_is_not(
    preset: LoadedPreset, worlds: dict[str, World], plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(preset.under(plan), worlds["still"], WIDTH, HEIGHT, 5, quality="final")
    generator = preset.networks.weights(preset.dit)
    autoencoder = preset.networks.weights(preset.autoencoder("final").codec)  # type: ignore[arg-type]
    layers_here: list[int] = []
    for layer in preset.dit.blocks:
        layer.self_attn.qkv.register_forward_pre_hook(
            lambda *_: layers_here.append(sum(bool(part.bytes_here) for part in generator[1:]))
        )
    seen: dict[str, dict[str, bool]] = {}
    original = Residency.stage

    def watched(self: Residency, name: str) -> None:
        original(self, name)
        seen[name] = {
            "generator": bool(generator[0].bytes_here),
            "autoencoder": all(part.bytes_here for part in autoencoder),
        }

    monkeypatch.setattr(Residency, "stage", watched)
    step(session, 0)
    layers_here.clear()
    step(session, 1)
    for stage, used in USES.items():
        for part in ("generator", "autoencoder"):
            assert seen[stage][part] == (used == part or getattr(plan, part) == "stays"), (stage, part)
    assert set(layers_here) == {1 if plan.generator == "streams" else CONFIG.num_layers}
    everything = sum(tensor.nbytes for tensor in preset.dit.parameters())
    assert sum(part.bytes_here for part in generator) == (everything if plan.generator == "stays" else 0)


@pytest.mark.parametrize(
    ("kind", "quality", "plan"),
    [
        *(("moving", "final", plan) for plan in PLANS),
        ("still", "final", STAYS),
        ("still", "draft", STAYS),
        ("moving", "draft", Plan("visits", "visits")),
    ],
)
def test_what_a_plan_needs_is_what_is_alive_at_most(
    folder: Path,
    preset: LoadedPreset,
    worlds: dict[str, World],
    plan: Plan,
    kind: str,
    quality: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    size = 96, 64
    session = Session(preset.under(plan), worlds[kind], *size, 5, None, False, quality)
    step(session, 0, size)
    step(session, 1, size)
    needs = SMALL.needs(folder, preset.device, Asked.of(PRESET, *size, quality, kind, 1))
    there = preset.networks.bytes_here + sum(x.nbytes for pair in session._text or () for x in pair)
    if plan.autoencoder == "stays":
        # The old state of a still reference's stream goes while the new one comes: it counts once, as new.
        there += (needs.streams - (kind == "still")) * needs.encoder_state + needs.decoder_state
    if plan.ahead:
        # Beside the step nobody counts: do it at once, which then is less than both together.
        monkeypatch.setattr("backend.session.Beside", FakeBeside)
    with count() as counted:
        step(session, 2, size)
    measured = there + counted.peak
    # The splat works on threads that nobody counts; it is small beside the rest.
    assert measured <= needs.peak(plan) * 1.02
    assert measured >= needs.peak(replace(plan, ahead=False)) * 0.95


def test_on_the_meta_device_the_same_is_counted_as_on_the_cpu() -> None:
    counted = []
    for device in ("cpu", "meta"):
        dit = CausalDiT(CONFIG).to(device)
        latent = torch.zeros(1, 3, 16, 4, 6, device=device)
        text = dit.encode_text(torch.zeros(1, 32, 12, device=device))
        dit.prefill(latent, latent, text)  # Rotations are kept from the first time on.
        with count() as found:
            cache = dit.prefill(latent, latent, text)
        counted.append((found, found.alive, cache))
    (cpu, cpu_alive, _), (meta, meta_alive, cache) = counted
    assert cpu_alive == meta_alive == sum(x.nbytes for pair in cache.layers for x in pair)
    assert cpu.peak == pytest.approx(meta.peak, rel=0.02)
    # Nothing counts attention on a CPU. The last layer of a prefill has none.
    tokens = 6 * 2 * 3
    attention = 4 * tokens * (tokens + 32) * CONFIG.dim * (CONFIG.num_layers - 1)
    assert meta.operations == cpu.operations + attention


def test_the_cheapest_plan_that_fits_is_chosen(folder: Path) -> None:
    needs = SMALL.needs(folder, FakeCard(), Asked(PRESET, 96, 64))
    assert needs.by_cost[:2] == [Plan(ahead=True), STAYS]
    assert [needs.moved(plan) for plan in needs.by_cost] == sorted(needs.moved(plan) for plan in PLANS)
    for free in range(0, with_margin(needs.peak(Plan(ahead=True))) + 10**6, 10**6):
        chosen = choose(needs, free, needs.by_cost)
        fitting = [plan for plan in needs.by_cost if with_margin(needs.peak(plan)) <= free]
        assert chosen.fits == bool(fitting)
        assert chosen.needs == needs.peak(chosen.plan)
        if fitting:
            assert chosen.plan == fitting[0]
        else:
            assert chosen.needs == min(map(needs.peak, PLANS))
    assert Choice(STAYS, 9_800_000_000, 11_200_000_000).words == "Needs 9.8 GB, 11.2 GB free"


def test_after_a_failure_only_smaller_plans_are_left(folder: Path) -> None:
    card = FakeCard()
    needs = SMALL.needs(folder, card, Asked(PRESET, 96, 64))
    failed: Plan | None = None
    tried = []
    for _ in range(len(PLANS)):
        plan = choose(needs, 10**12, needs.plans(card, failed)).plan
        tried.append(plan)
        failed = plan
    peaks = [needs.peak(plan) for plan in tried]
    assert peaks == sorted(peaks, reverse=True)
    assert needs.peak(tried[-1]) == min(map(needs.peak, PLANS))
    assert needs.plans(small_presets_of(folder).device) == [STAYS]


@pytest.mark.parametrize(
    ("size", "nearest"),
    [((60, 48), "64x48"), ((850, 480), "848x480"), ((0, -3), "16x16"), ((8192, 480), "4096x480")],
)
def test_a_wrong_size_is_answered_with_the_nearest(size: tuple[int, int], nearest: str) -> None:
    with pytest.raises(SessionError, match=f"{nearest} is the nearest size"):
        check_size(16, *size)


def test_the_released_sizes_as_they_are_documented() -> None:
    """The whole thing at full size, from shapes alone: 1.3 B parameters, 1.0 GiB an encoder, 1.8 GiB a decoder."""
    pytest.importorskip("diffusers")
    from backend.presets.released import RELEASED

    card: Any = FakeCard(dtype=torch.bfloat16)
    needs = RELEASED[PRESET].needs(Path("/nowhere"), card, Asked(PRESET, 832, 480))
    assert needs.frame + needs.layers == pytest.approx(2.84e9, rel=0.01)
    assert needs.encoder_state / 2**30 == pytest.approx(1.04, abs=0.01)
    assert needs.decoder_state / 2**30 == pytest.approx(1.76, abs=0.01)
    assert needs.peak(STAYS) < 16e9
    assert with_margin(min(map(needs.peak, PLANS))) < 7.7e9


def test_weights_that_wrap_others_leave_and_arrive_too() -> None:
    layer = nn.Linear(3, 2)
    inside = torch.arange(6.0).view(2, 3), torch.arange(6.0, 12.0).view(2, 3)
    layer.weight = nn.Parameter(TwoTensor(*inside), requires_grad=False)  # as fp8 weights hold their scales
    card = FakeCard()
    weights = Networks(card).weights(layer.requires_grad_(False).to(card.torch_device))
    (part,) = weights
    assert part.bytes_here == 2 * 6 * 4 + 2 * 4
    there = [layer.weight.a.data_ptr(), layer.weight.b.data_ptr()]
    part.leave()
    assert part.bytes_here == 0
    assert not set(there) & {layer.weight.a.data_ptr(), layer.weight.b.data_ptr()}
    part.arrive()
    assert torch.equal(layer.weight.a, inside[0]) and torch.equal(layer.weight.b, inside[1])


def test_in_fp8_layers_need_about_half(folder: Path) -> None:
    card = FakeCard(dtype=torch.bfloat16)
    asked = Asked.of(PRESET, 96, 64, "draft", "still", 1)
    needs, fast = (SMALL.needs(folder, device, asked) for device in (card, replace(card, fp8=True)))
    assert 0.4 * needs.layers < fast.layers < 0.65 * needs.layers
    assert fast.frame == needs.frame
