"""The JSON bodies and answers of docs/protocol.md, as the OpenAPI document shows them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from .protocol.files import MAX_STILLS
from .service import MAX_PROMPT


class TakeBody(BaseModel):
    """Body of POST /v1/takes."""

    model_config = ConfigDict(extra="forbid", strict=True)

    reference: str = Field(description="digest of a reference that was put before", max_length=200)
    preset: str = Field(max_length=100)
    width: int
    height: int
    seed: int = Field(ge=0, lt=2**63)
    prompt: str = Field("", max_length=MAX_PROMPT)
    keep_reference_detail: bool = True
    quality: Literal["draft", "final"] = "final"
    remember: bool = False
    preview: bool = False
    endless: bool = Field(False, description="of a preview: hardly any of its past states are kept")


class TakeAnswer(BaseModel):
    """Answer to POST /v1/takes."""

    take: str
    block_sizes: list[int]
    preset_digest: str
    device: str
    backend_version: str


class RewindBody(BaseModel):
    """Body of POST /v1/takes/TAKE/rewind."""

    model_config = ConfigDict(extra="forbid", strict=True)

    block: int = Field(ge=0, description="the block that is to be generated next")


class RewindAnswer(BaseModel):
    """Answer to POST /v1/takes/TAKE/rewind."""

    block: int = Field(description="the block that is next: that, or an earlier one whose state is kept")


class PlanBody(BaseModel):
    """Body of POST /v1/plan."""

    model_config = ConfigDict(extra="forbid", strict=True)

    preset: str = Field(max_length=100)
    width: int
    height: int
    quality: Literal["draft", "final"] = "final"
    views: int = Field(1, ge=1, le=MAX_STILLS, description="of one moment in the reference")
    moving: bool = Field(False, description="whether the reference is a video")


class PlanAnswer(BaseModel):
    """Answer to POST /v1/plan. `words` is empty where memory is no matter, as for tiny."""

    needs_mb: float
    free_mb: float
    fits: bool
    words: str
    seconds_per_frame: float | None = Field(description="on a device that is slow, about; else null")


class ReferenceAnswer(BaseModel):
    """Answer to PUT /v1/references/DIGEST."""

    digest: str
    views: int
    width: int
    height: int


class CoverageAnswer(BaseModel):
    """Answer to POST /v1/coverage: a share of 0 to 1 for each camera."""

    coverage: list[float]


class ErrorAnswer(BaseModel):
    """Every answer that is no success."""

    error: str
    message: str
