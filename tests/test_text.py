"""Prompts: what is encoded, what is kept of it, and that the encoder is loaded only when it is needed."""

from __future__ import annotations

import logging
import shutil
import socket
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load, save
from small_released import make_text_encoder
from torch import Tensor

from backend import digest, text
from backend.device import Device
from backend.text import PromptEmbeddings, TextError, encoder_digest

transformers = pytest.importorskip("transformers", reason="pip install -e .[world]")

CPU = Device(torch.device("cpu"), torch.float32)
PROMPT = "a red room with a window"
TOKENS = 7  # six words and the end
LENGTH = 16


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here may ask the network, not even for whether there is something newer."""

    def refuse(*_: object) -> None:
        raise AssertionError("asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return make_text_encoder(tmp_path / "weights")


def prompts(weights: Path, kept: Path, device: Device = CPU, length: int = LENGTH) -> PromptEmbeddings:
    return PromptEmbeddings(weights, encoder_digest(weights), kept, device, length)


@torch.no_grad()
def padded_encoding(weights: Path, prompt: str) -> Tensor:
    """The way of Wan's pipeline: pad, encode with a mask, then zeros where the mask is."""
    model = transformers.UMT5EncoderModel.from_pretrained(weights / "text_encoder").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(weights / "tokenizer")
    asked = tokenizer(prompt, padding="max_length", max_length=LENGTH, return_tensors="pt")
    states = model(asked.input_ids, asked.attention_mask).last_hidden_state
    return states * asked.attention_mask[..., None]


def test_a_prompt_is_encoded_as_in_the_pipeline_with_zeros_behind(weights: Path, tmp_path: Path) -> None:
    got = prompts(weights, tmp_path / "kept").embedding(PROMPT)
    torch.testing.assert_close(got, padded_encoding(weights, PROMPT), atol=1e-5, rtol=0)
    assert got.shape == (1, LENGTH, 12)
    assert got[:, :TOKENS].abs().amax(dim=-1).min() > 0
    assert got[:, TOKENS:].abs().max() == 0
    unpadded = prompts(weights, tmp_path / "kept", length=TOKENS).embedding(PROMPT)
    assert torch.equal(unpadded, got[:, :TOKENS])


def test_no_prompt_is_one_token(weights: Path, tmp_path: Path) -> None:
    got = prompts(weights, tmp_path / "kept").embedding("")
    assert (got.abs().amax(dim=-1) > 0).sum() == 1


def test_the_second_time_the_encoder_is_not_needed(weights: Path, tmp_path: Path) -> None:
    kept = prompts(weights, tmp_path / "kept")
    first = kept.embedding(PROMPT)
    shutil.rmtree(weights)
    assert torch.equal(kept.embedding(PROMPT), first)
    assert torch.equal(kept.embedding(f"  {PROMPT.replace(' ', '  ')}\n"), first)
    with pytest.raises(TextError, match="download"):
        kept.embedding("a green room")


def test_the_encoder_is_gone_when_the_embedding_is_there(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[weakref.ref[Any]] = []
    load_encoder = text._load_encoder

    def watched(folder: Path, device: Device) -> Any:
        model = load_encoder(folder, device)
        loaded.append(weakref.ref(model))
        return model

    monkeypatch.setattr(text, "_load_encoder", watched)
    got = prompts(weights, tmp_path / "kept").embedding(PROMPT)
    assert got.isfinite().all()
    assert [model() for model in loaded] == [None]


def test_another_prompt_encoder_or_length_has_another_file(weights: Path, tmp_path: Path) -> None:
    other = make_text_encoder(tmp_path / "other", seed=1)
    kept = tmp_path / "kept"
    files = {
        prompts(weights, kept).path(PROMPT),
        prompts(weights, kept).path("a green room"),
        prompts(other, kept).path(PROMPT),
        prompts(weights, kept, length=512).path(PROMPT),
    }
    assert len(files) == 4
    mine, theirs = (prompts(folder, kept).embedding(PROMPT) for folder in (weights, other))
    assert not torch.equal(mine, theirs)
    assert {path for path in files if path.exists()} == set(kept.iterdir())
    assert len(list(kept.iterdir())) == 2


@pytest.mark.parametrize("damage", ["truncated", "empty", "not finite", "of another form", "too long"])
def test_a_broken_file_is_made_anew(
    damage: str, weights: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = prompts(weights, tmp_path / "kept")
    first, path = kept.embedding(PROMPT), kept.path(PROMPT)
    whole = path.read_bytes()
    tokens, form = load(whole)["tokens"], {"form": text.KEPT_FORM}
    path.write_bytes(
        {
            "truncated": whole[:-5],
            "empty": b"",
            "not finite": save({"tokens": tokens / 0}, form),
            "of another form": save({"tokens": tokens}),
            "too long": save({"tokens": tokens.repeat(9, 1)}, form),
        }[damage]
    )
    with caplog.at_level(logging.WARNING):
        assert torch.equal(kept.embedding(PROMPT), first)
    assert path.read_bytes() == whole
    assert path.name in caplog.text


def test_a_folder_that_cannot_be_written_costs_no_generation(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file where the folder should be")
    assert prompts(weights, tmp_path / "kept").embedding(PROMPT).shape == (1, LENGTH, 12)


def test_a_prompt_that_is_too_long_is_refused_before_the_encoder_is_loaded(
    weights: Path, tmp_path: Path
) -> None:
    kept = prompts(weights, tmp_path / "kept")
    assert kept.embedding("red " * (LENGTH - 1)).abs().amax(dim=-1).min() > 0
    shutil.rmtree(weights / "text_encoder")
    with pytest.raises(TextError, match=f"{LENGTH + 1} tokens"):
        kept.embedding("red " * LENGTH)


def test_weights_that_are_not_all_there_are_refused(weights: Path, tmp_path: Path) -> None:
    (file,) = (weights / "text_encoder").glob("*.safetensors")
    tensors = load(file.read_bytes())
    del tensors["encoder.block.1.layer.0.SelfAttention.q.weight"]
    file.write_bytes(save(tensors, {"format": "pt"}))
    with pytest.raises(TextError, match=r"block\.1\.layer\.0\.SelfAttention\.q"):
        prompts(weights, tmp_path / "kept").embedding(PROMPT)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(TextError, match="download"):
        prompts(weights, tmp_path / "kept").embedding(PROMPT)
    assert not (tmp_path / "kept").exists()


def test_a_device_in_bfloat16_stays_near(weights: Path, tmp_path: Path) -> None:
    exact = prompts(weights, tmp_path / "exact").embedding(PROMPT)
    device = Device(torch.device("cpu"), torch.bfloat16)
    rounded = prompts(weights, tmp_path / "rounded", device).embedding(PROMPT)
    assert rounded.dtype == torch.bfloat16
    torch.testing.assert_close(rounded.float(), exact, atol=0.05, rtol=0.05)


def test_the_digest_of_a_large_file_sees_other_weights(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digest, "WHOLE_BYTES", 1024)
    monkeypatch.setattr(digest, "SAMPLE_BYTES", 16)
    before = encoder_digest(weights)
    (file,) = (weights / "text_encoder").glob("*.safetensors")
    assert file.stat().st_size > 1024
    moved = shutil.copytree(weights, tmp_path / "moved")
    assert encoder_digest(moved) == before
    tensors = load(file.read_bytes())
    file.write_bytes(save({name: tensor * 1.001 for name, tensor in tensors.items()}, {"format": "pt"}))
    assert encoder_digest(weights) != before
    file.unlink()
    with pytest.raises(TextError, match="no weights"):
        encoder_digest(weights)
