"""The explicit spatial constraint: the reference seen from the target cameras, and what of that is known."""

from .mask import mask_latents
from .splat import Render, splat_views

__all__ = ["Render", "mask_latents", "splat_views"]
