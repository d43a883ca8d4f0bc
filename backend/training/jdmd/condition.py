"""What a model is told of a clip of latents, whether it is a student, a teacher or a critic."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...model import CausalDiT
from ...model.dit import TextKeyValues


@dataclass(frozen=True)
class Condition:
    """What is known of a clip of G latents: reference (B, G, C, h, w), mask (B, G, 4, h, w), render (B, G, C, h, w).

    Mask and render as the generator takes them. text (B, L, D): a prompt's embedding, where the generator reads one.
    `nothing` is a clip that is made freely.
    """

    reference: Tensor
    mask: Tensor
    render: Tensor
    text: Tensor | None = None

    @staticmethod
    def nothing(x0: Tensor, text: Tensor | None = None) -> "Condition":
        """No reference and no render, for clips like x0 (B, G, C, h, w): all condition channels are zero."""
        mask = x0.new_zeros(*x0.shape[:2], 4, *x0.shape[3:])
        return Condition(torch.zeros_like(x0), mask, torch.zeros_like(x0), text)

    def part(self, latents: slice) -> "Condition":
        """That of some latents, with their reference."""
        return Condition(
            self.reference[:, latents], self.mask[:, latents], self.render[:, latents], self.text
        )

    def read_by(self, dit: CausalDiT) -> TextKeyValues | None:
        """Its text as a generator's layers take it."""
        return None if self.text is None else dit.encode_text(self.text)


def per_clip(sigma: Tensor) -> Tensor:
    """Levels (B,) for latents (B, G, C, h, w)."""
    return sigma[:, None, None, None, None]
