"""The STAR generator: a causal video transformer, its noise schedule and its sampler."""

from .config import BLOCK_LATENTS, MASK_CHANNELS, GeneratorConfig, Prediction
from .dit import Cache, CausalDiT, KeyValue, TextKeyValues
from .sampler import Cancelled, add_noise, predict_x0, sample_block
from .schedule import Schedule

__all__ = [
    "BLOCK_LATENTS",
    "MASK_CHANNELS",
    "Cache",
    "Cancelled",
    "CausalDiT",
    "GeneratorConfig",
    "KeyValue",
    "Prediction",
    "Schedule",
    "TextKeyValues",
    "add_noise",
    "predict_x0",
    "sample_block",
]
