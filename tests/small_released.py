"""A released preset in small: every network of the real kind, with few channels and random weights, as files.

What it generates is worth nothing; that it is loaded, told a prompt, streamed and continued is the product's.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from backend.codec.taehv import Taehv
from backend.codec.wan import WanCodec
from backend.device import Device
from backend.model import CausalDiT, GeneratorConfig
from backend.presets import Presets, Released
from backend.protocol.sources import GENERATORS, TAEHV, VAE, WAN

CONFIG = GeneratorConfig(dim=48, ffn_dim=96, num_heads=4, num_layers=2, freq_dim=32, text_dim=12, text_len=32)
PRESET = "inspatio-1.5-1.3b"
SMALL = Released(PRESET, "Small and random", GENERATORS[PRESET], CONFIG)
torch.set_num_threads(1)  # What is this small is slower on two.

CPU = Device(torch.device("cpu"), torch.float32)
WORDS = ["<pad>", "</s>", "<unk>", "a", "red", "green", "room", "with", "window"]


def small_released(folder: Path) -> Path:
    """A folder as `inspatio download` leaves it, with all that the small preset needs."""
    generator, taehv = SMALL.generator.within(folder), TAEHV.within(folder)
    for path in (generator, taehv, VAE.within(folder)):
        path.parent.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(3)
    dit = CausalDiT(CONFIG)
    save_file({f"model.{name}": tensor for name, tensor in dit.state_dict().items()}, generator)
    weights = Taehv().layers.state_dict()
    weights["decoder.22.bias"] += 0.5  # or all would be clamped to black
    weights["decoder.22.weight"] *= 4
    save_file(weights, taehv)
    random_wan().vae.save_pretrained(VAE.within(folder))
    make_text_encoder(folder / WAN)
    return folder


def small_presets_of(folder: Path, device: Device = CPU) -> Presets:
    """The small preset of a folder that `small_released` has filled, in place of the released ones."""
    return Presets(downloaded=folder, released={PRESET: SMALL}, device=device)


def random_wan(seed: int = 0, **changed: object) -> WanCodec:
    """Wan's autoencoder with few channels and random weights."""
    diffusers = pytest.importorskip("diffusers", reason="pip install -e .[world]")
    torch.manual_seed(seed)
    vae = diffusers.AutoencoderKLWan(**{"base_dim": 8, "num_res_blocks": 1, **changed})
    with torch.no_grad():
        for parameter in vae.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)
        vae.decoder.conv_out.weight.mul_(0.1)  # or half of the frames would be clamped
    return WanCodec(vae.eval())


def make_text_encoder(folder: Path, seed: int = 0) -> Path:
    """A small random umT5 encoder and a tokenizer of a few words, in folders as those of Wan 2.1's weights."""
    transformers = pytest.importorskip("transformers", reason="pip install -e .[world]")
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    torch.manual_seed(seed)
    config = transformers.UMT5Config(
        vocab_size=len(WORDS), d_model=12, d_kv=4, d_ff=16, num_layers=2, num_heads=3, dropout_rate=0.0
    )
    transformers.UMT5EncoderModel(config).save_pretrained(folder / "text_encoder")
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder / "tokenizer")
    return folder
