"""Which of several still views a block's context is given.

The context has room for three latents of the reference. Of the views that reach most of the block's pixels three
are kept, and each goes where it shows most: to the latent during whose frames it covers most.
"""

from __future__ import annotations

from itertools import product

from torch import Tensor

from ..model.config import BLOCK_LATENTS

FRAMES_PER_LATENT = 4


def choose_views(per_view_known: Tensor) -> tuple[int, ...]:
    """The view that each of the block's three context latents shows.

    `per_view_known` (F, V, H, W), bool: what each view reaches in the block's frames, F = 9 in a stream's first
    block (latents of 1, 4 and 4 frames) and 12 later (4, 4 and 4). The three views that cover most are kept (tie:
    the lower index) and each is used at least once, so that the summed cover is largest (tie: the
    lexicographically first). With less than three views they repeat.
    """
    frames = len(per_view_known)
    first = frames - FRAMES_PER_LATENT * (BLOCK_LATENTS - 1)
    if first not in (1, FRAMES_PER_LATENT):
        raise ValueError(f"a block has 9 frames first and 12 later, got {frames}")
    cover = per_view_known.sum(dim=(2, 3)).split([first, *[FRAMES_PER_LATENT] * (BLOCK_LATENTS - 1)])
    by_latent: list[list[int]] = [latent.sum(dim=0).tolist() for latent in cover]
    total = [sum(views) for views in zip(*by_latent, strict=True)]

    ranked = sorted(range(len(total)), key=lambda view: -total[view])
    kept = sorted(ranked[:BLOCK_LATENTS])
    choices = (choice for choice in product(kept, repeat=BLOCK_LATENTS) if len(set(choice)) == len(kept))
    return max(
        choices, key=lambda choice: sum(views[view] for views, view in zip(by_latent, choice, strict=True))
    )
