"""The STAR generator: a causal video transformer, its weights on disk, its noise schedule and its sampler."""

from .checkpoint import CheckpointError, load_generator
from .config import BLOCK_LATENTS, MASK_CHANNELS, RELEASED_1_3B, GeneratorConfig, Prediction
from .dit import Cache, CausalDiT, KeyValue, TextKeyValues
from .sampler import Cancelled, add_noise, predict_x0, sample_block
from .schedule import Schedule

__all__ = [
    "BLOCK_LATENTS",
    "MASK_CHANNELS",
    "RELEASED_1_3B",
    "Cache",
    "Cancelled",
    "CausalDiT",
    "CheckpointError",
    "GeneratorConfig",
    "KeyValue",
    "Prediction",
    "Schedule",
    "TextKeyValues",
    "add_noise",
    "load_generator",
    "predict_x0",
    "sample_block",
]
