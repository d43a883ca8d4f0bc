"""The lens of a video, found from how its pictures agree; a guess where they cannot tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from stage import FIELD_OF_VIEW, PANS, lens, pose, video_of

from backend.protocol.files import View
from backend.recover import Asked, from_pictures, recover
from backend.recover.depths import DepthForm


@pytest.mark.parametrize("focal", [0.6, 0.9, 1.2])
@pytest.mark.parametrize(("encoding", "within"), [("planar", 0.02), ("ray", 0.1)])
def test_the_lens_of_a_video_is_found_from_its_pictures(
    tmp_path: Path, focal: float, encoding: str, within: float
) -> None:
    """Distances along rays bend with the lens that they are read with, and tell less of it."""
    size = 320, 200
    k = lens(*size, focal)
    video, maps = video_of(tmp_path, PANS, size, focal)
    if encoding == "ray":
        columns, rows = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
        rays = np.linalg.norm(
            np.stack([columns, rows, np.ones(size[::-1])], -1) @ np.linalg.inv(k).T, axis=-1
        )
        for path in maps.iterdir():
            np.save(path, np.load(path) * rays)
    request = from_pictures([video], Asked((maps,), form=DepthForm(encoding)))
    reference = recover(request, tmp_path / "out")
    assert "as the pictures agree" in reference.source["lens"]
    for view in reference.views:
        assert view.intrinsics[0] == pytest.approx(k[0, 0], rel=within)
    if encoding == "planar":
        assert _eye(reference.views[-1]) == pytest.approx(np.linalg.inv(PANS[-1])[:3, 3], abs=0.05)


@pytest.mark.parametrize(
    "poses", [[pose(x=0.1 * n) for n in range(8)], [pose(z=0.1 * n) for n in range(8)]], ids=["slide", "push"]
)
def test_a_camera_that_does_not_turn_leaves_its_lens_a_guess(tmp_path: Path, poses: list[np.ndarray]) -> None:
    """Any lens explains what it sees equally well: 50 mm, and it is said."""
    video, maps = video_of(tmp_path, poses)
    reference = recover(from_pictures([video], Asked((maps,))), tmp_path / "out")
    assert "a guess" in reference.source["lens"]


def test_a_lens_that_is_stated_is_not_looked_for(tmp_path: Path) -> None:
    video, maps = video_of(tmp_path, PANS[:4])
    lines: list[str] = []
    asked = Asked((maps,), field_of_view=FIELD_OF_VIEW + 5)
    reference = recover(
        from_pictures([video], asked), tmp_path / "out", lambda line, share: lines.append(line)
    )
    assert "as stated" in reference.source["lens"] and "Looking for the lens" not in lines


def _eye(view: View) -> np.ndarray:
    return np.linalg.inv(np.array(view.world_to_camera).reshape(4, 4))[:3, 3]
