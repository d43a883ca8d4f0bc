"""A film's parts, its queue, and the film laid out: headless, in Blender."""

from __future__ import annotations

import json

import pytest

from tests.kill_queue import kill_queues

FAULTS = (
    ("paused_skipped_retried", "backend_killed", "undone_meanwhile", "as_it_was_when_added"),
    ("nothing_helps", "cannot_be_continued", "disk_full", "folders_removed", "memory_released"),
    ("drive_answers_late", "clock_set_back", "little_covered", "no_backend"),
)


def test_parts(blender, tmp_path):
    blender.run("film.py", tmp_path)


def test_made_and_laid_out(blender, tmp_path, painting_python):
    blender.run("film_queue.py", tmp_path, "made_and_laid_out", INSPATIO_PYTHON=str(painting_python))


@pytest.mark.parametrize("cases", FAULTS, ids=lambda cases: cases[0])
def test_whatever_happens_to_a_queue(newest_blender, tmp_path, painting_python, cases):
    paint = {"INSPATIO_PYTHON": str(painting_python), "INSPATIO_PAINT_SECONDS": "0.15"}
    newest_blender.run("film_queue.py", tmp_path, *cases, timeout=400, **paint)


def test_killed_over_a_queue(newest_blender, tmp_path, painting_python):
    """Blender, backend and both, once each; `python -m tests.kill_queue` does it twenty times with the real backend."""
    paint = {"INSPATIO_PYTHON": str(painting_python), "INSPATIO_PAINT_SECONDS": "0.15"}
    found = kill_queues(newest_blender, tmp_path, times=3, seed=4, environment=paint)
    assert found["hit"] == 3 and found["equal"] == found["times"], found


def test_two_queues_on_one_file(newest_blender, tmp_path, painting_python):
    """Two Blenders press Start: one makes the queue, the other says who does, and sees it done."""
    paint = {"INSPATIO_PYTHON": str(painting_python), "INSPATIO_PAINT_SECONDS": "0.3"}
    newest_blender.run("kill_queue.py", "prepare", tmp_path, 2, 21, **paint)
    processes = []
    for name in ("first", "second"):
        paint["INSPATIO_RESULT"] = str(tmp_path / f"{name}.json")
        processes.append(newest_blender.start("two_queues.py", tmp_path, **paint))
    for process in processes:
        out, _ = process.communicate(timeout=200)
        assert process.returncode == 0, out[-4000:]
    found = [json.loads((tmp_path / f"{name}.json").read_text()) for name in ("first", "second")]
    assert sorted(one["refused"] for one in found) == [False, True]
    assert [one["states"] for one in found] == [["done", "done"]] * 2
    alone = tmp_path / "alone"
    alone.mkdir()
    del paint["INSPATIO_RESULT"]
    newest_blender.run("kill_queue.py", "prepare", alone, 2, 21, **paint)
    newest_blender.run("kill_queue.py", "run", alone, **paint)
    for shot in ("Shot_1", "Shot_2"):
        assert [path.name for path in (tmp_path / "inspatio" / shot).glob("take_*")] == ["take_001"]
        made, wanted = (
            {path.name: path.read_bytes() for path in (folder / "inspatio" / shot / "take_001").glob("*.png")}
            for folder in (tmp_path, alone)
        )
        assert len(made) == 21 and made == wanted
