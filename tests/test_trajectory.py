"""Trajectory texts: what the cameras do for simple ones, and what is refused."""

from __future__ import annotations

import pytest
import torch

from backend.trajectory import TrajectoryError, read_orbit, read_world_to_camera

IDENTITY = "1 0 0 0  0 1 0 0  0 0 1 0  0 0 0 1"


def test_an_orbit_keeps_looking_at_the_point_ahead() -> None:
    poses = read_orbit("0 10 5\n0 -20 30\n1 1 1\n", 9, 2.0)
    assert poses.shape == (9, 4, 4)
    point = torch.tensor([0, 0, 2.0, 1], dtype=torch.float64)
    torch.testing.assert_close(poses @ point, point.expand(9, 4))


def test_a_straight_way_without_angles() -> None:
    poses = read_orbit("0\n0\n0 0.5\n", 3, 4.0)
    assert torch.linalg.inv(poses)[:, :3, 3].tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 2]]


def test_rotation_only_stays_where_it_is() -> None:
    poses = read_orbit("0 10\n0 20\n1 1\n", 5, 2.0, rotation_only=True)
    assert poses[:, :3, 3].abs().max() == 0
    turned = torch.linalg.inv(poses[-1])[:3, 2]
    assert turned[0] > 0
    assert turned[1] > 0


def test_one_frame() -> None:
    torch.testing.assert_close(read_orbit("0\n0\n0\n", 1, 1.0)[0], torch.eye(4, dtype=torch.float64))


def test_a_line_a_frame() -> None:
    poses = read_world_to_camera(f"{IDENTITY}\n\n0 -1 0 1 1 0 0 2 0 0 1 3 0 0 0 1\n")
    assert poses.dtype == torch.float64
    assert poses[0].equal(torch.eye(4, dtype=torch.float64))
    assert poses[1, :3, 3].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("1 2 3", "Pose 1 has 3"),
        (f"{IDENTITY}\n{IDENTITY} 1", "Pose 2 has 17"),
        (IDENTITY.replace("0 1 0 0", "0 2 0 0"), "not a rotation"),
        (IDENTITY.replace("0 1 0 0", "0 -1 0 0"), "not a rotation"),
        (IDENTITY.replace("0 0 0 1", "0 0 1 1"), "not a rotation"),
        (IDENTITY.replace("1", "nan"), "finite"),
        (IDENTITY.replace("1", "one"), "no number"),
    ],
)
def test_broken_poses_are_refused(text: str, said: str) -> None:
    with pytest.raises(TrajectoryError, match=said):
        read_world_to_camera(text)


@pytest.mark.parametrize(
    ("text", "said"), [("0 1\n0 1\n", "3 lines"), ("0\n0\nfar\n", "Line 3"), ("0\n0\ninf\n", "finite")]
)
def test_broken_orbits_are_refused(text: str, said: str) -> None:
    with pytest.raises(TrajectoryError, match=said):
        read_orbit(text, 9, 1.0)
