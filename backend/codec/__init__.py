"""Autoencoders: pictures to latents and back, streamed."""

from .base import Codec, Decoder, Encoder, Pair

__all__ = ["Codec", "Decoder", "Encoder", "Pair"]
