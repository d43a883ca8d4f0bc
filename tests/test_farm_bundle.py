"""What a farm's job says: pieces, names, and its YAML; and that it comes into being whole or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from inspatio_addon.backend.protocol import blocks
from inspatio_addon.backend.protocol.files import Shot
from inspatio_addon.inspatio_blender import farm
from inspatio_addon.inspatio_blender.export import ExportError
from openjd.model import decode_job_template
from references import move, write_reference, write_shot

SHOT = Shot.from_json(Shot("Shot", "tiny", 0, 64, 48, move(9, 64, 48)).to_json())  # type: ignore[arg-type]


def work(name: str = "Shot", frames: int = 9, **changes: Any) -> farm.Work:
    cameras = Shot.from_json(Shot("Shot", "tiny", 0, 64, 48, move(frames, 64, 48)).to_json()).cameras  # type: ignore[arg-type]
    plain = farm.Work(name, replace(SHOT, cameras=cameras), Path("v001"), needs_gpu=False, keeps_state=True)
    return replace(plain, **changes)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 700), st.integers(0, 300))
def test_pieces_are_of_whole_blocks_and_cover_the_shot(frames: int, every: int) -> None:
    ends = [int(end) for end in work(frames=frames).pieces(every)]
    assert ends[-1] == frames and ends == sorted(set(ends))
    assert all(blocks.block_start(blocks.block_at(end - 1) + 1) == end for end in ends[:-1])
    lengths = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    if every:
        assert max(lengths) <= max(every, blocks.NEXT_BLOCK)
    else:
        assert len(ends) == 1
    assert work(frames=frames, keeps_state=False).pieces(every) == [frames]


def test_a_very_long_shot_has_so_many_pieces_at_most() -> None:
    ends = work(frames=20_000).pieces(1)
    assert len(ends) <= farm.MAX_PIECES and ends[-1] == 20_000


scalars = st.text() | st.integers() | st.booleans() | st.none()
contents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.from_regex(r"[A-Za-z]\w{0,8}", fullmatch=True), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.just("Param") | st.just("range"), contents, min_size=1))
def test_the_yaml_is_read_as_what_was_written(content: dict[str, Any]) -> None:
    assert yaml.safe_load(farm.yaml(content)) == content


def test_every_name_makes_a_template_that_holds() -> None:
    """Long ones, alike ones, with letters of every kind; format strings in the job's name are none."""
    names = ["Größe_" + "x" * 74, "Größe_" + "x" * 73 + "y", "ショット", "a.b-c", "Shot"]
    works = [work(name, frames=70) for name in names]
    works.append(work("large", frames=70, needs_gpu=True))
    for every in (0, 12):
        made = farm.template("{{Param.None}} job\n" + "n" * 200, works, every)
        decoded = decode_job_template(template=yaml.safe_load(farm.yaml(made)))
        assert len(decoded.steps) == (2 if every == 0 else 6 * 7)
        assert len({step.name for step in decoded.steps}) == len(decoded.steps)
        before = {d.dependsOn for step in decoded.steps for d in step.dependencies or ()}
        assert before <= {step.name for step in decoded.steps}


def _on_disk(tmp_path: Path) -> farm.Work:
    shot = write_shot(tmp_path / "elsewhere")
    write_reference(tmp_path / "reference/v003")
    return farm.Work("Shot", Shot.from_json(shot.to_json()), tmp_path / "reference/v003", False, True)


def test_it_appears_whole_beside_what_is_there(tmp_path: Path) -> None:
    made = _on_disk(tmp_path)
    told: list[float] = []
    jobs = tmp_path / "jobs"
    first = farm.export_job("film_job", [made], jobs, tell=lambda _line, share: told.append(share))
    second = farm.export_job("film_job", [made, replace(made, name="Again")], jobs)
    assert (first.name, second.name) == ("film_job", "film_job_002")
    assert told == sorted(told) and 0 <= told[0] < 1
    assert (second / "shots/Again/reference/v003/view_0000.png").exists()

    def stop(_line: str, share: float) -> None:
        if share > 0.6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        farm.export_job("film_job", [made, replace(made, name="Again")], jobs, tell=stop)
    assert sorted(path.name for path in jobs.iterdir()) == ["film_job", "film_job_002"]


def test_a_full_disk_and_too_many_shots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, jobs = _on_disk(tmp_path), tmp_path / "jobs"
    with pytest.raises(ExportError, match="at most 1024 shots, these are 1025"):
        farm.export_job("film_job", [made] * 1025, jobs)

    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(ExportError, match=r"No job can be exported to .*: no space left on device"):
        farm.export_job("film_job", [made], jobs)
    assert list(jobs.iterdir()) == []
