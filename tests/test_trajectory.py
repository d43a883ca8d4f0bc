"""Trajectory texts: what the cameras do for simple ones, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from backend.trajectory import TrajectoryError, read_orbit, read_world_to_camera, write_orbit

IDENTITY = "1 0 0 0  0 1 0 0  0 0 1 0  0 0 0 1"


def test_an_orbit_keeps_looking_at_the_point_ahead() -> None:
    poses = read_orbit("0 10 5\n0 -20 30\n1 1 1\n", 9, 2.0)
    assert poses.shape == (9, 4, 4)
    point = np.array([0, 0, 2.0, 1])
    np.testing.assert_allclose(poses @ point, np.tile(point, (9, 1)), atol=1e-7)


def test_a_straight_way_without_angles() -> None:
    poses = read_orbit("0\n0\n0 0.5\n", 3, 4.0)
    assert np.linalg.inv(poses)[:, :3, 3].tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 2]]


def test_rotation_only_stays_where_it_is() -> None:
    poses = read_orbit("0 10\n0 20\n1 1\n", 5, 2.0, rotation_only=True)
    assert not poses[:, :3, 3].any()
    turned = np.linalg.inv(poses[-1])[:3, 2]
    assert turned[0] > 0
    assert turned[1] > 0


def test_one_frame() -> None:
    np.testing.assert_allclose(read_orbit("0\n0\n0\n", 1, 1.0)[0], np.eye(4), atol=1e-7)


def test_a_line_a_frame() -> None:
    poses = read_world_to_camera(f"{IDENTITY}\n\n0 -1 0 1 1 0 0 2 0 0 1 3 0 0 0 1\n")
    assert poses.dtype == np.float64
    assert np.array_equal(poses[0], np.eye(4))
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


@pytest.mark.parametrize(
    "text",
    [
        "0\n0\n0\n",
        "0\n0\n0 0.5\n",
        "0\n0 3 17 30\n1\n",  # eased
        "0 10 5\n0 -20 30\n1\n",
        "0 1 2 4\n0 30\n0.5 1\n",
        "0\n0 -200\n1\n",
        "0\n0 40\n0\n",
    ],
)
@pytest.mark.parametrize("noise", [0, 1e-6])
def test_orbits_are_written_with_the_keys_that_they_were_read_from(text: str, noise: float) -> None:
    poses = read_orbit(text, 49, 2.0)
    if noise:  # Blender's are float32.
        turn = np.eye(4)
        turn[:3, 3] = noise
        turn[0, 1], turn[1, 0] = noise, -noise
        poses = turn @ poses
    written = write_orbit(poses, 2.0)
    assert noise or [list(map(float, line.split())) for line in written.splitlines()] == [
        pytest.approx(list(map(float, line.split())), abs=1e-6) for line in text.splitlines()
    ]
    np.testing.assert_allclose(read_orbit(written, 49, 2.0), poses, atol=1e-6 + 10 * noise, rtol=0)


@pytest.mark.parametrize("what", ["sideways", "roll", "wander"])
def test_paths_that_three_lines_cannot_tell_are_refused(what: str) -> None:
    poses = read_orbit("0\n0 20\n1\n", 25, 2.0)
    change = np.tile(np.eye(4), (25, 1, 1))
    if what == "sideways":
        change[12, 0, 3] = 0.1
    elif what == "roll":
        change[20:, 0, 0] = change[20:, 1, 1] = 0.8
        change[20:, 0, 1], change[20:, 1, 0] = 0.6, -0.6
    else:
        poses = read_orbit("0\n0 10 0 10 0 10 0 10\n1\n", 25, 2.0)
    with pytest.raises(TrajectoryError, match="cannot be told in version 1's three lines"):
        write_orbit(change @ poses, 2.0)
