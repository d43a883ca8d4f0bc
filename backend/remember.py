"""Remember: what was generated where no view of the reference reaches is kept, and shown again where it belongs.

    before a block   render of the reference, depth of the geometry (F,H,W) -> visible  -> nothing shows through walls
                     render with holes, depth                               -> recall   -> fewer holes
    after a block    its frames, what is still a hole in the render         -> remember -> more keyframes

A hole's pixel has a place in space where the geometry gives it depth. That place is looked up in the keyframes: seen
there, and not behind something else there, its colour is the keyframe's. So what is recalled lies on the geometry, has
no cracks, and never shows through what stands before it; it costs as much as there are holes.

The first that was made of a place stays. Only what neither the reference nor a keyframe knows is kept of a frame, so a
recalled pixel is never kept again and nothing drifts; and pixels that the reference reaches are the reference's.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from .constraint.splat import HOLE, Render

LEAST_NEW = 0.003
"""Share of a frame that must be new for it to become a keyframe."""

A_BLOCK = 4
"""Keyframes that a block adds at most."""

BUDGET = 48
"""Keyframes that are kept."""

SAME_PLACE = 0.03
"""How far, as a share of depth, a place may lie from the surface that a keyframe saw there, and be that surface."""

BEHIND = 1.1
"""How far behind the geometry, as a factor of its depth, what the reference shows cannot be seen."""

ENOUGH = 0.25
"""How much of a pixel's four neighbours in the keyframes must be known for it to be recalled."""


@dataclass(frozen=True)
class Memory:
    """Keyframes, oldest first; all on one device.

    colour (V, 3, H, W): uint8 codes, as the frames were handed out. new (V, H, W): bool, the pixels that are kept.
    disparity (V, H, W): bfloat16, 1 / planar depth of the geometry in the keyframe's camera; 0: sky, or no depth.
    intrinsics (V, 3, 3), world_to_camera (V, 4, 4): float64.
    """

    colour: Tensor
    new: Tensor
    disparity: Tensor
    intrinsics: Tensor
    world_to_camera: Tensor

    @staticmethod
    def empty(height: int, width: int, device: torch.device) -> Memory:
        return Memory(
            torch.empty(0, 3, height, width, dtype=torch.uint8, device=device),
            torch.empty(0, height, width, dtype=torch.bool, device=device),
            torch.empty(0, height, width, dtype=torch.bfloat16, device=device),
            torch.empty(0, 3, 3, dtype=torch.float64, device=device),
            torch.empty(0, 4, 4, dtype=torch.float64, device=device),
        )

    @staticmethod
    def of(tensors: Mapping[str, Tensor], height: int, width: int, device: torch.device) -> Memory:
        """What `tensors` gave. Raises ValueError where that cannot be."""
        empty = Memory.empty(height, width, device)
        count = len(tensors["new"])
        for name, like in empty.tensors.items():
            given = tensors[name]
            if given.dtype != like.dtype or given.shape != (count, *like.shape[1:]):
                raise ValueError(f"{name} of the keyframes is {tuple(given.shape)} {given.dtype}")
        return Memory(**{name: tensors[name].to(device) for name in empty.tensors})

    @property
    def tensors(self) -> dict[str, Tensor]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def with_keyframe(self, keyframe: Memory) -> Memory:
        """With one more; where there are BUDGET already, without the one that holds least."""
        kept = torch.ones(len(self), dtype=torch.bool, device=self.new.device)
        if len(self) == BUDGET:
            kept[self.new.sum(dim=(1, 2)).argmin()] = False
        added = keyframe.tensors
        return Memory(**{name: torch.cat([held[kept], added[name]]) for name, held in self.tensors.items()})

    def __len__(self) -> int:
        return len(self.new)


def visible(render: Render, depth: Tensor) -> Render:
    """The reference's render without what lies behind the geometry, depth (F, H, W), in the target cameras.

    Where no view saw the wall, the sky outside its window shows through it, wanders over it as the camera moves, and
    would be kept as a part of it.
    """
    hidden = render.known & (depth > 0) & (render.depth > BEHIND * depth)
    return Render(
        torch.where(hidden.unsqueeze(1), HOLE, render.colour),
        render.known & ~hidden,
        torch.where(hidden, torch.inf, render.depth),
        render.per_view_known & ~hidden.unsqueeze(1),
    )


def recall(
    memory: Memory, render: Render, depth: Tensor, intrinsics: Tensor, world_to_camera: Tensor
) -> Render:
    """The render of F frames with the holes filled that the keyframes know.

    depth (F, H, W): the geometry's in the target cameras, inf for sky, 0 for no depth; intrinsics (F, 3, 3) and
    world_to_camera (F, 4, 4) of these. What each view alone reached stays as it was.
    """
    if not len(memory):
        return render
    device = render.colour.device
    holes = ~render.known & (depth > 0)
    colour, known, nearest = render.colour.clone(), render.known.clone(), render.depth.clone()
    keyframes = [_Keyframe.of(memory, view) for view in range(len(memory))]
    lens, pose = (x.to("cpu", torch.float64) for x in (intrinsics, world_to_camera))
    inference = torch.is_inference_mode_enabled()

    def fill(frame: int) -> None:
        with torch.inference_mode(inference), torch.no_grad():
            row, column = holes[frame].nonzero().unbind(1)
            z = depth[frame, row, column]
            sky = z.isinf()
            scale = torch.where(sky, 1.0, z)
            points = torch.stack([column * scale, row * scale, scale, (~sky).float()])
            back = torch.linalg.inv(pose[frame])
            back[:3, :3] @= torch.linalg.inv(lens[frame])
            found, weight = torch.zeros_like(points[:3]), torch.zeros_like(z)
            for keyframe in keyframes:
                keyframe.add(back, points, found, weight)
            there = weight >= ENOUGH
            row, column = row[there], column[there]
            colour[frame, :, row, column] = found[:, there] / weight[there] / 127.5 - 1
            known[frame, row, column] = True
            nearest[frame, row, column] = z[there]

    workers = torch.get_num_threads() if device.type == "cpu" else 1
    with ThreadPoolExecutor(max_workers=min(workers, max(len(depth), 1))) as pool:
        list(pool.map(fill, range(len(depth))))
    return replace(render, colour=colour, known=known, depth=nearest)


def remember(
    memory: Memory, codes: Tensor, render: Render, depth: Tensor, intrinsics: Tensor, world_to_camera: Tensor
) -> tuple[Memory, Render]:
    """The memory after a block, and the block's render with what its own keyframes show of its other frames.

    codes (F, 3, H, W) uint8: the block's frames. render: what they were made from, recalled pixels and all. The rest
    as for `recall`.
    """
    for _ in range(A_BLOCK):
        new = ~render.known & (depth > 0)
        counts = new.sum(dim=(1, 2))
        best = int(counts.argmax())
        if int(counts[best]) < LEAST_NEW * new[best].numel():
            break
        frame = slice(best, best + 1)
        keyframe = Memory(
            codes[frame],
            new[frame],
            torch.where(depth[frame] > 0, depth[frame].reciprocal(), 0.0).bfloat16(),
            intrinsics[frame].to(codes.device, torch.float64),
            world_to_camera[frame].to(codes.device, torch.float64),
        )
        memory = memory.with_keyframe(keyframe)
        render = recall(keyframe, render, depth, intrinsics, world_to_camera)
    return memory, render


@dataclass(frozen=True)
class _Keyframe:
    """A keyframe as it is looked up, with a pixel's border around it that knows nothing.

    colour (3, n) codes, new (n,), disparity (n,), slope (n,): n = (H + 2)(W + 2) pixels, as in `Memory` and `_slope`.
    within (n,): bool, whether the pixel, or one right of it, below it or both, is new.
    columns, rows: from the first that is within to that after the last; width: W + 2.
    onto (3, 4): float64, from the world to (u z, v z, z), first pixel of the border at 0.
    """

    colour: Tensor
    new: Tensor
    disparity: Tensor
    slope: Tensor
    within: Tensor
    columns: tuple[int, int]
    rows: tuple[int, int]
    width: int
    onto: Tensor

    @staticmethod
    def of(memory: Memory, view: int) -> _Keyframe:
        new = F.pad(memory.new[view], [1, 1, 1, 1])
        within = new | new.roll(-1, 1)
        within = within | within.roll(-1, 0)
        rows, columns = (within.any(dim=dim).nonzero().squeeze(1) for dim in (1, 0))
        disparity = memory.disparity[view].float()
        lens = memory.intrinsics[view].cpu().clone()
        lens[:2, 2] += 1
        return _Keyframe(
            F.pad(memory.colour[view], [1, 1, 1, 1]).flatten(1),
            new.flatten(),
            F.pad(disparity, [1, 1, 1, 1]).flatten(),
            F.pad(_slope(disparity), [1, 1, 1, 1]).flatten(),
            within.flatten(),
            (int(columns[0]), int(columns[-1]) + 1),
            (int(rows[0]), int(rows[-1]) + 1),
            new.shape[1],
            lens @ memory.world_to_camera[view, :3].cpu(),
        )

    def add(self, back: Tensor, points: Tensor, colour: Tensor, weight: Tensor) -> None:
        """Add what is known here at points (4, M) to `colour` (3, M), weighted codes, and `weight` (M,) 0..1.

        back (4, 4): from the points, (u z, v z, z, 1) in a target or (u, v, 1, 0) for sky, to the world. Keyframes are
        asked from the oldest on; a newer one adds what the older leave of a pixel, so no seam shows.
        """
        motion = (self.onto @ back).to(points)
        x, y, z = motion @ points
        u, v = x / z, y / z
        inside = (u >= self.columns[0]) & (u < self.columns[1]) & (v >= self.rows[0]) & (v < self.rows[1])
        index = (inside & (z > 0) & (weight < 1)).nonzero().squeeze(1)
        pixel = v[index].long() * self.width + u[index].long()
        there = self.within[pixel]
        index, pixel = index[there], pixel[there]
        u, v, disparity = u[index], v[index], points[3, index] / z[index]
        across, down = u - u.floor(), v - v.floor()
        share, mean = torch.zeros_like(u), torch.zeros(3, len(u), device=u.device)
        for step, along in ((0, 1 - across), (1, across)):
            for below, part in ((0, along * (1 - down)), (self.width, along * down)):
                here = pixel + step + below
                away = (self.disparity[here] - disparity).abs()
                part = part * (self.new[here] & (away <= SAME_PLACE * disparity + self.slope[here]))
                share += part
                mean += self.colour[:, here] * part
        use = torch.minimum(share, 1 - weight[index])
        colour[:, index] += mean * (use / share.clamp(min=1e-6))
        weight[index] += use


def _slope(disparity: Tensor) -> Tensor:
    """How much disparity (H, W) changes within a surface from a pixel to the next, across and down together."""
    slope = torch.zeros_like(disparity)
    for dim in (0, 1):
        step = disparity.diff(dim=dim).abs()
        end = torch.full_like(step.narrow(dim, 0, 1), torch.inf)
        # Of a pixel's two sides, that on which the surface goes on.
        slope += torch.minimum(torch.cat([end, step], dim), torch.cat([step, end], dim))
    return slope
