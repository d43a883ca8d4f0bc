"""The embedding of a prompt: umT5's encoder through transformers, asked once a prompt and then gone.

    prompt -> tokens (n), the end's among them -> encoder -> (n, 4096) -> zeros behind -> (1, 512, 4096)

The encoder has four times the generator's weights, so it is loaded only for a prompt that was never encoded, and
has left memory before `embedding` returns. What it gave is kept on disk. Padding is added after encoding, as
zeros: the generator attends to all 512 places and was trained with these.
"""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from .device import Device
from .digest import digest_files
from .plan import with_margin
from .protocol.disk import write_whole

TEXT_LENGTH = 512
"""Tokens the generator reads."""

ENCODER_FOLDER, TOKENIZER_FILE = "text_encoder", "tokenizer/tokenizer.json"
"""Where both lie in the folder of Wan 2.1's weights."""

KEPT_FORM = "inspatio-prompt"

log = logging.getLogger(__name__)


class TextError(Exception):
    """A prompt cannot be encoded; the message says why and what to do."""


class PromptEmbeddings:
    """Embeddings of prompts, made by the encoder below `weights` and kept in the folder `kept`.

    digest: what `encoder_digest` said of the encoder; with it, what is kept is found though the encoder is gone.
    """

    def __init__(
        self, weights: Path, digest: str, kept: Path, device: Device, length: int = TEXT_LENGTH
    ) -> None:
        self._weights = weights
        self._digest = digest
        self._kept = kept
        self._device = device
        self._length = length

    def embedding(self, prompt: str) -> Tensor:
        """The prompt as (1, length, text_dim) on the CPU, zeros after its last token. White space is evened out.

        Raises TextError when the encoder is missing or broken, or the prompt is too long.
        """
        prompt = " ".join(prompt.split())
        path = self.path(prompt)
        tokens = self._read(path)
        if tokens is None:
            tokens = self._encode(prompt)
            self._keep(path, tokens)
        return F.pad(tokens, (0, 0, 0, self._length - len(tokens)))[None]

    def path(self, prompt: str) -> Path:
        """The file that keeps the embedding of a prompt: another one for another encoder or length."""
        key = json.dumps([" ".join(prompt.split()), self._digest, self._length])
        return self._kept / f"{hashlib.sha256(key.encode()).hexdigest()}.safetensors"

    def _read(self, path: Path) -> Tensor | None:
        """What is kept in `path` (n, text_dim); None where there is nothing, or nothing whole."""
        if not path.exists():
            return None
        try:
            with safe_open(path, "pt") as file:
                form, tokens = (file.metadata() or {}).get("form"), file.get_tensor("tokens")
        except (OSError, SafetensorError) as error:
            log.warning("The kept prompt %s is broken (%s) and is made anew.", path.name, error)
            return None
        whole = tokens.dim() == 2 and 0 < len(tokens) <= self._length and bool(tokens.isfinite().all())
        if form != KEPT_FORM or not whole:
            log.warning("The kept prompt %s is of another form and is made anew.", path.name)
            return None
        return tokens

    def _keep(self, path: Path, tokens: Tensor) -> None:
        """Keep an embedding, whole or not at all. A full disk costs time at the next prompt, no generation."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, save({"tokens": tokens.contiguous()}, {"form": KEPT_FORM}))
        except OSError as error:
            log.warning("The prompt's embedding cannot be kept (%s): it will be made again.", error)

    def _encode(self, prompt: str) -> Tensor:
        """The embedding of the prompt's tokens (n, text_dim) on the CPU. The encoder is gone afterwards."""
        tokens = self._tokenize(prompt)
        model = None
        try:
            model = _load_encoder(self._weights / ENCODER_FOLDER, self._device)
            with torch.inference_mode():
                # Positions are relative, so the prompt alone gives what it gives among masked padding, in less time.
                states = model(torch.tensor([tokens], device=model.device)).last_hidden_state
                return states[0].cpu()
        finally:
            del model
            self._device.let_go()

    def _tokenize(self, prompt: str) -> list[int]:
        """The prompt's tokens with the end's, by the rules in tokenizer.json alone: no class adds its own."""
        from tokenizers import Tokenizer

        path = self._weights / TOKENIZER_FILE
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises no narrower one
            raise TextError(f"{path} is missing or broken ({error}): download the preset again.") from error
        tokenizer.no_truncation()
        tokenizer.no_padding()
        tokens: list[int] = tokenizer.encode(prompt).ids
        if len(tokens) > self._length:
            raise TextError(f"The prompt has {len(tokens)} tokens, {self._length} can be read: shorten it.")
        return tokens


def _load_encoder(folder: Path, device: Device) -> Any:
    """The encoder of a local folder, in the device's format, and in its memory where it fits beside what is there.

    Elsewhere it reads a prompt in seconds, too: it takes longer to load than to run. Raises TextError.
    """
    from transformers import UMT5EncoderModel

    try:
        model, found = UMT5EncoderModel.from_pretrained(
            folder,
            dtype=device.dtype,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise TextError(
            f"The text encoder in {folder} is missing or broken ({error}): download the preset again."
        ) from error
    # The library fills what a file lacks with random numbers.
    if lacking := sorted(map(str, found["missing_keys"])):
        raise TextError(
            f"The text encoder in {folder} lacks {lacking[0]} and {len(lacking) - 1} other weights: "
            "download the preset again."
        )
    fits = with_margin(sum(weight.nbytes for weight in model.parameters())) <= device.free_bytes()
    return model.eval().to(device.torch_device if fits else "cpu")


def encoder_digest(weights: Path) -> str:
    """sha256 that changes with the encoder or its tokenizer below `weights`. Raises TextError where one is missing."""
    folder, tokenizer = weights / ENCODER_FOLDER, weights / TOKENIZER_FILE
    files = [*sorted(folder.glob("*.json")), *sorted(folder.glob("*.safetensors")), tokenizer]
    try:
        if not any(path.suffix == ".safetensors" for path in files):
            raise FileNotFoundError(f"no weights in {folder}")
        return digest_files(*files)
    except OSError as error:
        raise TextError(f"The text encoder cannot be read ({error}): download the preset again.") from error
