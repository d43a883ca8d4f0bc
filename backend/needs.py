"""What a take puts on the device, measured from shapes before anything is loaded.

    generator and codec on the meta device, a size  -> measure -> Needs

The work of a stage is the most bytes that are alive at once while its own code runs on the meta device, beside what
was there before (`counting.py`). Only the splat needs numbers to run, so its planes are counted by hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from .codec.base import Codec
from .constraint.mask import mask_latents
from .constraint.splat import Render
from .counting import count
from .finish import finish
from .model import CausalDiT
from .model.config import BLOCK_LATENTS, MASK_CHANNELS
from .model.sampler import sample_block
from .plan import Needs, Work
from .protocol.blocks import BLOCK_SIZES

SPLAT_TARGET_PLANES, SPLAT_VIEW_PLANES = 60, 15
"""Floats a pixel that the splat keeps at once: of the frame being splatted, and of every lifted view. Counted by hand
in splat.py; the former with the indices that CUDA sorts in its deterministic form. The surface warp has its planes in
main memory, and fewer of them."""

LARGEST_VIEW = 4
"""Pixels of a view for each of the target's: Capture makes them twice as wide and high at most."""


def measure(
    dit: CausalDiT,
    codec: Codec,
    width: int,
    height: int,
    views: int = 1,
    moving: bool = False,
    scores: bool = False,
    fp8: bool = False,
) -> Needs:
    """The needs of a take of `width` x `height` pixels; networks on the meta device, in their number format.

    views: how many the reference has of one moment (`stills`), each a stream of its own. moving: whether its stream
    goes on with every block. scores: whether attention on the device writes out its scores. fp8: whether the
    products of the generator's layers have weights of 8 bits.
    """
    meta = torch.device("meta")
    block = BLOCK_SIZES[-1]
    latent = torch.empty(1, BLOCK_LATENTS, codec.latent_channels, height // 8, width // 8, device=meta)
    picture = torch.empty(1, block, 3, height, width, device=meta)
    known = torch.empty(block, height, width, dtype=torch.bool, device=meta)
    depth = torch.empty(block, height, width, device=meta)
    per_view = torch.empty(block, views, height, width, dtype=torch.bool, device=meta)
    render = Render(picture[0], known, depth, per_view)

    encoder, decoder = codec.encoder(), codec.decoder()
    with torch.no_grad():
        encoder.push(picture[:, : BLOCK_SIZES[0]])
        decoder.push(latent)
    with count() as encoding:
        old = encoder.state()
        pushed = encoder.push(picture), mask_latents(known, first=False)
    with count() as decoding:
        old = decoder.state()
        frames = decoder.push(latent).float()
    with count() as encoding_visit:
        encoder.restore({name: tensor.clone() for name, tensor in encoder.state().items()})
        pushed = encoder.push(picture), mask_latents(known, first=False)
    with count() as decoding_visit:
        decoder.restore({name: tensor.clone() for name, tensor in decoder.state().items()})
        frames = decoder.push(latent).float()
    del old, pushed

    with count(scores) as telling:
        embedding = torch.empty(1, dit.config.text_len, dit.config.text_dim, device=meta)
        text = dit.encode_text(embedding) if dit.config.text_dim else None
    with count(scores) as filling:
        cache = dit.prefill(latent, latent, text)
    mask = torch.empty(1, BLOCK_LATENTS, MASK_CHANNELS, *latent.shape[-2:], device=meta)
    with count(scores) as denoising:
        sample_block(dit, cache, mask, latent, latent, lambda step: latent, text)
    with count() as finishing:
        codes = finish(frames[0], render, None).clamp(-1, 1).to(torch.uint8)
    del codes

    kept = filling.alive
    pixels, state = width * height, _bytes(encoder.state().values())
    view = LARGEST_VIEW * pixels
    splat = 4 * (SPLAT_TARGET_PLANES * max(pixels, view) + SPLAT_VIEW_PLANES * views * view)
    reference = 4 * 3 * ((block * view) if moving else views * view)
    decoder_state = _bytes(decoder.state().values())
    rendered = sum(tensor.nbytes for tensor in render.tensors)
    layers = [_layer_bytes(layer, fp8) for layer in dit.blocks]
    return Needs(
        frame=_bytes(_outside_layers(dit)),
        layers=sum(layers),
        layer=max(layers),
        autoencoder=_bytes(_tensors(codec)),
        encoder_state=state,
        decoder_state=decoder_state,
        streams=1 + views,
        pushed=2 if moving else 1,
        beside=telling.alive + rendered,
        render=rendered,
        work={
            "render": Work.of(splat),
            "complete": Work.of(0),
            "encode": Work(encoding.peak + reference, encoding_visit.peak + reference),
            "prefill": Work.of(filling.peak),
            "denoise": Work.of(kept + denoising.peak),
            "decode": Work(decoding.peak, decoding_visit.peak),
            "finish": Work.of(frames.nbytes + finishing.peak),
        },
        operations=2 * encoding.operations + decoding.operations + filling.operations + denoising.operations,
    )


def _outside_layers(dit: CausalDiT) -> Iterator[Tensor]:
    return (tensor for name, tensor in dit.named_parameters() if not name.startswith("blocks."))


def _layer_bytes(layer: nn.Module, fp8: bool) -> int:
    """Bytes of a layer's weights; in fp8 those of its products are a byte each, and a float32 a row."""
    total = _bytes(layer.parameters())
    if fp8:
        products = [module.weight for module in layer.modules() if isinstance(module, nn.Linear)]
        total += sum(weight.numel() + 4 * len(weight) - weight.nbytes for weight in products)
    return total


def _tensors(codec: Codec) -> list[Tensor]:
    return [*codec.parameters(), *codec.buffers()] if isinstance(codec, nn.Module) else []


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.nbytes for tensor in tensors)
