"""Loops over pixels, compiled by numba for the processor at hand when they are first called.

Floats are computed as written, one rounding a step, so any machine gives the same picture. What was compiled is kept
for the next process in `__pycache__`, in a folder for just these sources. Its files are pickles: they are read from
nowhere but beside Python's own compiled modules, where who can write can change the program anyway. Where that cannot
be written, nothing is kept.
"""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import numba
import numpy.typing as npt

Array = npt.NDArray[Any]
Float = Any
"""A float32. Only with float32 numbers does it stay one: beside an int it becomes a float64."""

_HERE = Path(__file__).parent
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}


def _folder() -> Path | None:
    """Where loops are kept. numba would look at a loop's own module only, and miss that one it calls has changed."""
    sources = b"".join(path.read_bytes() for path in sorted(_HERE.glob("*.py")))
    folder = _HERE / "__pycache__" / f"loops-{sha256(sources).hexdigest()[:16]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


_FOLDER = _folder()


def compiled(function: Any) -> Any:
    """A loop to be called from Python. It gives up the interpreter's lock, so that threads do their frames at once."""
    if _FOLDER is None:
        return numba.njit(**_OPTIONS)(function)
    settings: Any = numba.config
    before, settings.CACHE_DIR = settings.CACHE_DIR, str(_FOLDER)
    try:
        return numba.njit(cache=True, **_OPTIONS)(function)
    finally:
        settings.CACHE_DIR = before


def is_kept() -> bool:
    """Whether a process before this one compiled these loops, so that moments suffice to have them."""
    return _FOLDER is not None and any(_FOLDER.rglob("*.nbc"))


def inlined(function: Any) -> Any:
    """A part of loops: it becomes one with them."""
    return numba.njit(forceinline=True, **_OPTIONS)(function)
