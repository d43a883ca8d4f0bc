"""Autoencoders: pictures to latents and back, streamed."""

from .base import Codec, Decoder, Encoder

__all__ = ["Codec", "Decoder", "Encoder"]
