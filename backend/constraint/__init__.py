"""The explicit spatial constraint: the reference seen from the target cameras, and what of that is known."""

from .mask import mask_latents
from .splat import Render, splat_views
from .surface import compile_loops, surface_views

WARPS = {"splat": splat_views, "surface": surface_views}
"""How views are brought into target cameras: the released generators' way, and the one without flying pixels."""

__all__ = ["WARPS", "Render", "compile_loops", "mask_latents", "splat_views", "surface_views"]
