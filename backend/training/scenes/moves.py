"""Camera moves over T frames: named moves with easing whose size is set to uncover a wanted share of the view.

Cameras are OpenCV (x right, y down, z forward), 4x4 world_to_camera; the world has z up. Intrinsics have pixel
centres at integers; focal lengths are for a 36 mm wide sensor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .raster import HEIGHT, WIDTH

FRAMES = 21
MOVES = (
    ("dolly", 0.16), ("truck", 0.15), ("pedestal", 0.05), ("pan", 0.09), ("tilt", 0.04), ("orbit", 0.14), ("arc", 0.09),
    ("crane", 0.06), ("handheld", 0.06), ("zoom", 0.03), ("combination", 0.13),
)  # fmt: skip
STILL_SHARE = 0.08


@dataclass
class Move:
    """Camera path about a first view, with everything random drawn already, so that `path` scales smoothly.

    `shift` (T,3) metres in the first camera's axes, `turn` (T,2) yaw and pitch in radians, `grow` (T,) change of
    the logarithm of the focal length, all for amount 1; `follow` 1 keeps looking at the target, 0 does not.
    """

    name: str
    eye: np.ndarray
    target: np.ndarray
    focal: float
    roll: float
    shift: np.ndarray
    turn: np.ndarray
    grow: np.ndarray
    swing: np.ndarray
    follow: float

    def path(self, amount: float) -> tuple[np.ndarray, np.ndarray]:
        """world_to_camera (T,4,4) and intrinsics (T,3,3), float64, of the move scaled by `amount`."""
        base = look_at(self.eye, self.target, self.roll)
        reach = np.linalg.norm(self.target - self.eye)
        cameras, lenses = [], []
        for t in range(len(self.shift)):
            angle = self.swing[t] * amount
            arm = self.eye - self.target
            turned = np.array([
                arm[0] * np.cos(angle) - arm[1] * np.sin(angle), arm[0] * np.sin(angle) + arm[1] * np.cos(angle), arm[2]
            ])  # fmt: skip
            eye = self.target + turned + base[:3, :3].T @ (self.shift[t] * amount)
            ahead = base[2, :3] * reach
            aim = self.target * self.follow + (eye + ahead) * (1 - self.follow)
            camera = look_at(eye, aim, self.roll)
            yaw, pitch = self.turn[t] * amount
            camera[:3] = rotation(yaw, pitch) @ camera[:3]
            cameras.append(camera)
            focal = self.focal * np.exp(self.grow[t] * amount)
            lenses.append(lens(focal))
        return np.stack(cameras), np.stack(lenses)


def lens(focal_mm: float) -> np.ndarray:
    """Intrinsics (3,3) in pixels of a focal length on a 36 mm sensor, principal point in the middle."""
    f = focal_mm / 36.0 * WIDTH
    return np.array([[f, 0, (WIDTH - 1) / 2], [0, f, (HEIGHT - 1) / 2], [0, 0, 1.0]])


def look_at(eye: np.ndarray, target: np.ndarray, roll: float = 0.0) -> np.ndarray:
    """world_to_camera (4,4) at `eye` looking at `target`, horizon turned by `roll` radians."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right = right / max(np.linalg.norm(right), 1e-6)
    down = np.cross(forward, right)
    c, s = np.cos(roll), np.sin(roll)
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([c * right + s * down, -s * right + c * down, forward])
    matrix[:3, 3] = -matrix[:3, :3] @ eye
    return matrix


def rotation(yaw: float, pitch: float) -> np.ndarray:
    """Camera-space rotation (3,3): first yaw about y, then pitch about x."""
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    return np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]]) @ np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])


def easing(rng: np.random.Generator, frames: int) -> np.ndarray:
    """Progress 0..1 over the frames: steady, easing in, out or both, or a piece of a longer eased move."""
    t = np.linspace(0, 1, frames)
    kind = rng.integers(5)
    if kind == 1:
        t = t**2
    elif kind == 2:
        t = 1 - (1 - t) ** 2
    elif kind == 3:
        t = t * t * (3 - 2 * t)
    return t


def wobble(rng: np.random.Generator, frames: int, width: int) -> np.ndarray:
    """Smooth random wander (frames, width) that starts at zero, of about unit size."""
    t = np.arange(frames)[:, None] / 24
    total = np.zeros((frames, width))
    for rate in (0.7, 1.6, 3.4):
        total += (
            rng.normal(size=width) / rate**0.8 * np.sin(2 * np.pi * rate * t + rng.uniform(0, 6.3, width))
        )
    return total - total[:1]


def draw_move(
    rng: np.random.Generator, eye: np.ndarray, target: np.ndarray, focal: float, frames: int = FRAMES
) -> Move:
    """A random move from `eye` (3,) looking at `target` (3,); amount 1 is a middling size for that distance."""
    names, chances = zip(*MOVES, strict=True)
    name = str(rng.choice(names, p=np.array(chances) / sum(chances)))
    reach = np.linalg.norm(target - eye)
    ease, way = easing(rng, frames), rng.choice([-1.0, 1.0])
    shift, turn = np.zeros((frames, 3)), np.zeros((frames, 2))
    grow, swing, follow = np.zeros(frames), np.zeros(frames), 0.0
    parts = [name] if name != "combination" else list(rng.permutation(names[:8])[: int(rng.integers(2, 4))])
    step = 0.16 * reach + 0.1
    for part in parts:
        way = rng.choice([-1.0, 1.0])
        if part == "dolly":
            shift[:, 2] += ease * step * 1.7 * (1.0 if rng.random() < 0.4 else -1.0)
            shift[:, 0] += ease * step * 0.3 * rng.normal()
        elif part == "truck":
            shift[:, 0] += way * ease * step
            follow = float(rng.choice([0.0, 0.0, 0.5]))
        elif part == "pedestal":
            shift[:, 1] += way * ease * step * 0.7
            follow = float(rng.choice([0.0, 1.0]))
        elif part == "pan":
            turn[:, 0] += way * ease * 0.16
        elif part == "tilt":
            turn[:, 1] += way * ease * 0.1
        elif part == "orbit":
            swing += way * ease * 0.3
            follow = 1.0
        elif part == "arc":
            swing += way * ease * 0.22
            shift[:, 2] += ease * step * rng.uniform(-1.0, 0.8)
            shift[:, 1] += ease * step * rng.uniform(-0.4, 0.2)
            follow = 1.0
        elif part == "crane":
            shift[:, 1] -= ease * step * rng.uniform(0.4, 1.0)
            shift[:, 2] += ease * step * rng.uniform(-1.0, 1.0)
            turn[:, 1] -= ease * 0.08 * rng.uniform(0, 1)
        elif part == "zoom":
            grow += ease * 0.35 * (0.4 if rng.random() < 0.3 else -1.0)
    if name == "handheld" or rng.random() < 0.25:
        size = 1.0 if name == "handheld" else 0.25
        shift += wobble(rng, frames, 3) * 0.06 * size * [1, 1, 0.6]
        turn += wobble(rng, frames, 2) * 0.03 * size
        if name == "handheld":
            shift[:, 2] += ease * step * rng.uniform(-0.6, 0.8)
    roll = float(rng.normal() * 0.06) if rng.random() < 0.12 else 0.0
    return Move(name, eye, target, focal, roll, shift, turn, grow, swing, follow)


def covered(depth_from, camera_from, lens_from, depth_to, camera_to, lens_to) -> np.ndarray:
    """Which pixels (H,W) of one view another view of the same still scene has seen (sky: by direction alone)."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    sky = np.isinf(depth_to)
    z = np.where(sky, 1e6, depth_to)
    points = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(lens_to).T * z[..., None]
    matrix = camera_from @ np.linalg.inv(camera_to)
    seen = points @ matrix[:3, :3].T + matrix[:3, 3]
    ahead = seen[..., 2] > 1e-3
    uvw = seen @ lens_from.T
    uv = np.round(uvw[..., :2] / np.where(ahead, uvw[..., 2], 1.0)[..., None]).clip(-9e5, 9e5).astype(int)
    inside = ahead & (uv[..., 0] >= 0) & (uv[..., 0] < WIDTH) & (uv[..., 1] >= 0) & (uv[..., 1] < HEIGHT)
    there = depth_from[uv[..., 1].clip(0, HEIGHT - 1), uv[..., 0].clip(0, WIDTH - 1)]
    there = np.where(np.isinf(there), 1e6, there)
    return inside & (seen[..., 2] < there * 1.06 + 0.02)
