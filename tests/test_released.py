"""The released presets, in small: from files to frames through the same Session as tiny."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from references import move, write_reference
from safetensors.torch import load_file, save_file
from small_released import CPU, PRESET, SMALL, small_presets_of, small_released

from backend.device import Device
from backend.model import Cancelled
from backend.model.accelerate import Accelerator
from backend.presets import LoadedPreset, PresetError, Presets
from backend.presets.released import NEUTRAL_PROMPT, RELEASED, keep_neutral_prompt
from backend.protocol.sources import TAEHV, VAE, WAN
from backend.session import Session, SessionError, camera_block
from backend.world import World, load_world

WIDTH, HEIGHT = 32, 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_released(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def preset(folder: Path) -> LoadedPreset:
    return small_presets_of(folder).load(PRESET)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, World]:
    where = tmp_path_factory.mktemp("references")
    for kind, views in (("still", 1), ("stills", 4), ("moving", 40)):
        write_reference(where / kind, WIDTH, HEIGHT, kind, views)
    return {kind: load_world(where / kind)[0] for kind in ("still", "stills", "moving")}


def generate(session: Session, first: int, last: int) -> np.ndarray:
    """Frames of blocks `first` to `last`."""
    cameras = move(21, WIDTH, HEIGHT)
    blocks = [session.step(camera_block(cameras.block(block))) for block in range(first, last + 1)]
    return np.concatenate([block.frames for block in blocks])


@pytest.mark.parametrize("quality", ["draft", "final"])
@pytest.mark.parametrize("kind", ["still", "stills", "moving"])
def test_frames_in_either_quality_and_continued_bit_for_bit(
    preset: LoadedPreset, worlds: dict[str, World], kind: str, quality: str
) -> None:
    def session() -> Session:
        return Session(preset, worlds[kind], WIDTH, HEIGHT, 5, "a red room", False, quality)

    whole = generate(session(), 0, 1)
    assert whole.shape == (21, HEIGHT, WIDTH, 3)
    assert whole.std(axis=(1, 2)).max() > 1
    stopped = session()
    before = generate(stopped, 0, 0)
    resumed = session()
    resumed.restore(stopped.snapshot())
    assert np.array_equal(np.concatenate([before, generate(resumed, 1, 1)]), whole)


def test_each_quality_has_its_own_autoencoder(preset: LoadedPreset, worlds: dict[str, World]) -> None:
    draft, final = (
        Session(preset, worlds["still"], WIDTH, HEIGHT, 5, quality=quality) for quality in ("draft", "final")
    )
    assert draft.digest != final.digest
    assert not np.array_equal(generate(draft, 0, 0), generate(final, 0, 0))
    with pytest.raises(SessionError, match="preset differs"):
        final.restore(draft.snapshot())


def test_the_prompt_changes_the_frames_and_none_means_the_neutral_one(
    preset: LoadedPreset, worlds: dict[str, World]
) -> None:
    def frames(prompt: str | None) -> np.ndarray:
        return generate(Session(preset, worlds["still"], WIDTH, HEIGHT, 5, prompt, quality="draft"), 0, 0)

    assert not np.array_equal(frames("a red room"), frames("a green window"))
    assert np.array_equal(frames(None), frames(NEUTRAL_PROMPT))
    assert np.array_equal(frames("  a red\n room "), frames("a red room"))


def test_it_is_warmed_up_once_for_takes_of_a_shape(
    folder: Path, worlds: dict[str, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    graphs = 0

    def counting(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> object:
        nonlocal graphs
        graphs += 1
        return graph.forward

    monkeypatch.setattr("backend.presets.released.Accelerator", partial(Accelerator, backend=counting))
    monkeypatch.setattr("backend.model.accelerate.why_not_compiled", lambda device: "")
    presets = Presets(downloaded=folder, released={PRESET: SMALL}, device=CPU, compiling=True)
    expected = small_presets_of(folder).load(PRESET)
    loaded = presets.load(PRESET)

    def session(preset: LoadedPreset, kind: str, quality: str = "draft") -> Session:
        return Session(preset, worlds[kind], WIDTH, HEIGHT, 5, quality=quality)

    told: list[tuple[str, float]] = []
    warmed = session(loaded, "still")
    warmed.warm_up(lambda text, share: told.append((text, share)))
    assert graphs == 4 and len(told) == 5
    assert [share for _, share in told] == sorted(share for _, share in told)
    whole = generate(session(expected, "still"), 0, 1).astype(int)
    assert np.abs(generate(warmed, 0, 1) - whole).max() <= 1
    session(loaded, "still").warm_up(lambda text, share: told.append((text, share)))
    assert graphs == 4 and len(told) == 5
    asked = itertools.count()
    with pytest.raises(Cancelled):
        session(loaded, "still", "final").warm_up(cancelled=lambda: next(asked) >= 1)
    session(expected, "still").warm_up(lambda text, share: pytest.fail("nothing is compiled here"))


def test_a_prompt_is_in_the_cache_of_the_context_too(preset: LoadedPreset) -> None:
    reference = torch.zeros(1, 3, 16, 2, 4)
    with torch.inference_mode():
        red, green = (
            preset.dit.prefill(reference, None, preset.text(prompt))
            for prompt in ("a red room", "a green room")
        )
    assert not torch.equal(red.layers[-1][0], green.layers[-1][0])


def test_after_the_neutral_prompt_was_kept_no_encoder_is_needed(
    folder: Path, tmp_path: Path, worlds: dict[str, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = shutil.copytree(folder, tmp_path / "weights", ignore=shutil.ignore_patterns("prompts"))
    monkeypatch.setattr("backend.presets.released.default_device", lambda: CPU)
    monkeypatch.setitem(RELEASED, PRESET, SMALL)
    keep_neutral_prompt(PRESET, mine)

    def refuse(*_: object) -> None:
        raise AssertionError("loaded the text encoder")

    monkeypatch.setattr("backend.text._load_encoder", refuse)
    preset = small_presets_of(mine).load(PRESET)
    assert generate(Session(preset, worlds["still"], WIDTH, HEIGHT, 5, quality="draft"), 0, 0).std() > 1
    with pytest.raises(AssertionError, match="loaded the text encoder"):
        Session(preset, worlds["still"], WIDTH, HEIGHT, 5, "a red room", quality="draft")


def test_in_bfloat16_it_stays_near(folder: Path, preset: LoadedPreset, worlds: dict[str, World]) -> None:
    rough = small_presets_of(folder, Device(torch.device("cpu"), torch.bfloat16)).load(PRESET)
    assert next(rough.dit.parameters()).dtype == torch.bfloat16
    for quality in ("draft", "final"):
        exact, rounded = (
            generate(Session(loaded, worlds["still"], WIDTH, HEIGHT, 5, quality=quality), 0, 0).astype(float)
            for loaded in (preset, rough)
        )
        assert np.abs(exact - rounded).mean() < 4


def test_what_is_not_here_says_how_to_get_it(tmp_path: Path) -> None:
    presets = Presets(downloaded=tmp_path)
    for described in presets.all()[1:]:
        assert not described.available
        with pytest.raises(PresetError, match="download its weights"):
            presets.load(described.id)
    assert set(RELEASED) == {preset.id for preset in presets.all()[1:]}


Damage = Callable[[Path], None]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def foreign(path: Path) -> None:
    save_file({"encoder.layers.0.weight": torch.zeros(2)}, path)


def load_all(folder: Path) -> None:
    """Load everything that a preset consists of."""
    loaded = small_presets_of(folder).load(PRESET)
    for quality in ("draft", "final"):
        loaded.autoencoder(quality)
    loaded.text("a red room")


@pytest.mark.parametrize("damage", [cut, foreign, Path.unlink])
@pytest.mark.parametrize("part", ["generator", "taehv", "wan", "text"])
def test_broken_weights_are_named(folder: Path, tmp_path: Path, part: str, damage: Damage) -> None:
    mine = shutil.copytree(folder, tmp_path / "weights", ignore=shutil.ignore_patterns("prompts"))
    path = {
        "generator": SMALL.generator.within(mine),
        "taehv": TAEHV.within(mine),
        "wan": VAE.within(mine) / "diffusion_pytorch_model.safetensors",
        "text": mine / WAN / "text_encoder" / "model.safetensors",
    }[part]
    assert path.is_file()
    damage(path)
    with pytest.raises(PresetError, match=r"[Dd]ownload"):
        load_all(mine)


def test_weights_of_another_preset_have_another_digest(folder: Path, tmp_path: Path) -> None:
    mine = shutil.copytree(folder, tmp_path / "weights", ignore=shutil.ignore_patterns("prompts"))
    before = small_presets_of(mine).load(PRESET).autoencoder("draft").digest
    assert small_presets_of(mine).load(PRESET).autoencoder("draft").digest == before
    tensors = load_file(SMALL.generator.within(mine))
    save_file({name: tensor + 0.001 for name, tensor in tensors.items()}, SMALL.generator.within(mine))
    assert small_presets_of(mine).load(PRESET).autoencoder("draft").digest != before
