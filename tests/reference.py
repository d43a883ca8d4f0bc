"""The reference tensors that the released system's own code produced, where this machine has them.

They are no part of the repository: INSPATIO_REFERENCE names their folder, else it is ../shared/reference.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path(os.environ.get("INSPATIO_REFERENCE", ROOT / ".." / "shared" / "reference")).resolve()


def cases(pattern: str, *, without: str = "") -> Any:
    """Parametrize a test's `path` over every reference file of a pattern, but those whose stem ends in `without`.

    Without the folder the test is skipped; a folder without such a file fails it.
    """
    if not FOLDER.is_dir():
        reason = f"no reference tensors in {FOLDER} (INSPATIO_REFERENCE)"
        return pytest.mark.parametrize("path", [pytest.param(None, marks=pytest.mark.skip(reason=reason))])
    paths = [path for path in sorted(FOLDER.glob(pattern)) if not (without and path.stem.endswith(without))]
    assert paths, f"no {pattern} in {FOLDER}"
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.stem)
