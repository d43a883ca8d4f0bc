"""Keep Reference Detail: in covered pixels the warp supplies what the generated frame lacks.

A small generator gives the right picture a little soft. The warp is sharp, but not to be trusted everywhere: at holes
and depth edges it carries flying pixels, and where the generated frame has changed the light or moved something, the
generated frame is right. So each pixel of the result is

    generated + trust * (warp - generated)
    trust = inside * smooth * agreement     all (F, 1, H, W) in 0..1

inside: 0 at a hole, 1 from HOLE_MARGIN pixels away; smooth: 0 at a jump of depth, 1 from EDGE_MARGIN pixels away;
agreement: falls where the two still differ after both are blurred. All three are soft, so that no seam shows, and made
of this frame alone, so that a still camera gives a still picture.

Where a preset has a completion, which mends flying pixels too, its picture takes the warp's place, and jumps of depth
need no distrust: the generated frame is softest just there.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from .constraint.splat import Render

HOLE_MARGIN = 3.0  # pixels over which trust rises from a hole's edge
EDGE_MARGIN = 2  # pixels around a jump of depth that are distrusted
DEPTH_JUMP = (
    0.04  # relative change of depth to a neighbour, beyond the surface's own slope, that counts as a jump
)
BLUR = 5  # pixels: what is coarser than this must agree
DISAGREEMENT = 0.30  # coarse difference (of a range of 2) at which trust has fallen to 1/e


def box(x: Tensor, size: int) -> Tensor:
    """Mean over a size x size window, edges repeated. (F, C, H, W)."""
    return F.avg_pool2d(F.pad(x, [size // 2] * 4, mode="replicate"), size, stride=1)


def inside(known: Tensor) -> Tensor:
    """0 in holes (F, H, W bool) rising softly to 1 at HOLE_MARGIN pixels from them: (F, 1, H, W)."""
    trust = known.float().unsqueeze(1)
    size = 2 * int(HOLE_MARGIN) + 1
    reach = -F.max_pool2d(-trust, 3, stride=1, padding=1)
    return (box(reach, size) * 2 - 1).clamp(0, 1) * trust


def smooth(render: Render) -> Tensor:
    """0 at jumps of depth and near them, 1 on surfaces: (F, 1, H, W).

    Jumps are looked for in inverse depth, which is linear along any plane, so that a floor seen at a grazing
    angle does not count; sky is 0 there.
    """
    known = render.known.unsqueeze(1)
    disparity = torch.where(known, 1 / render.depth.unsqueeze(1).clamp(min=1e-6), 0.0)
    across = F.pad(disparity, [1, 1, 0, 0], mode="replicate")
    down = F.pad(disparity, [0, 0, 1, 1], mode="replicate")
    bend = torch.maximum(
        (across[..., 2:] - 2 * disparity + across[..., :-2]).abs(),
        (down[..., 2:, :] - 2 * disparity + down[..., :-2, :]).abs(),
    )
    jump = (bend > DEPTH_JUMP * disparity.clamp(min=1e-6)) & known
    spread = F.max_pool2d(jump.float(), 2 * EDGE_MARGIN - 1, stride=1, padding=EDGE_MARGIN - 1)
    return 1 - box(spread, 3)


def agreement(generated: Tensor, warp: Tensor, known: Tensor) -> Tensor:
    """1 where generated frame and warp (F, 3, H, W) are coarsely alike, less where they differ: (F, 1, H, W)."""
    weight = known.float().unsqueeze(1)
    share = box(weight, BLUR).clamp(min=1e-6)
    difference = (box((warp - generated) * weight, BLUR) / share).abs().amax(dim=1, keepdim=True)
    return torch.exp(-((difference / DISAGREEMENT) ** 2))


def finish(
    generated: Tensor, render: Render, completed: Tensor | None = None, recalled: Tensor | None = None
) -> Tensor:
    """Generated frames (F, 3, H, W) in [-1, 1] with the detail of `render` where it is to be trusted.

    `completed` (F, 3, H, W) is the render with holes and flying pixels mended, where there is such a picture.
    `recalled` (F, H, W), bool: known pixels whose detail was generated earlier. What they show is shown again, whatever
    the generator says now. Everything else is finished as if they were holes, so they change nothing about it.
    """
    if recalled is not None:
        unknown = replace(
            render, known=render.known & ~recalled, depth=torch.where(recalled, torch.inf, render.depth)
        )
        return torch.where(recalled.unsqueeze(1), render.colour, finish(generated, unknown, completed))
    detail = render.colour if completed is None else completed
    trust = inside(render.known) * agreement(generated, detail, render.known)
    if completed is None:
        trust = trust * smooth(render)
    return generated + trust * (detail - generated)
