"""Strict reading of a JSON object's fields: the right type, within bounds, or a sentence that says where."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .disk import FileFormatError

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,199}")


class Fields:
    """The fields of `content`, an object in the file `where`; every reader raises FileFormatError."""

    def __init__(self, where: str, content: Mapping[str, Any], form: str | None = None) -> None:
        self._where = where
        self._content = content
        if form is not None:
            if content.get("format") != form:
                raise self.wrong(f"the format must be {form!r}, got {content.get('format')!r}")
            if content.get("version") != 1:
                raise self.wrong(f"this version reads version 1 of {form}, got {content.get('version')!r}")

    def wrong(self, message: str) -> FileFormatError:
        """The error that says `message` of this place."""
        return FileFormatError(f"{self._where}: {message}")

    def _get(self, name: str) -> Any:
        if name not in self._content:
            raise self.wrong(f"{name} is missing")
        return self._content[name]

    def integer(self, name: str, low: int, high: int) -> int:
        value = self._get(name)
        if type(value) is not int or not low <= value <= high:
            raise self.wrong(f"{name} must be a whole number from {low} to {high}, got {value!r}")
        return value

    def number(self, name: str, *, above: float = -math.inf) -> float:
        value = self._get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise self.wrong(f"{name} must be a number, got {value!r}")
        if value <= above:
            raise self.wrong(f"{name} must be above {above:g}, got {value!r}")
        return float(value)

    def boolean(self, name: str) -> bool:
        value = self._get(name)
        if not isinstance(value, bool):
            raise self.wrong(f"{name} must be true or false, got {value!r}")
        return value

    def text(self, name: str, longest: int) -> str:
        value = self._get(name)
        if not isinstance(value, str) or len(value) > longest:
            raise self.wrong(f"{name} must be a text of at most {longest} characters")
        return value

    def choice(self, name: str, choices: Sequence[str]) -> str:
        value = self._get(name)
        if value not in choices:
            raise self.wrong(f"{name} must be one of {', '.join(choices)}, got {value!r}")
        return str(value)

    def list(self, name: str, longest: int) -> list[Any]:
        value = self._get(name)
        if not isinstance(value, list) or len(value) > longest:
            raise self.wrong(f"{name} must be a list of at most {longest} entries")
        return value

    def numbers(self, name: str, longest: int) -> tuple[float, ...]:
        values = self.list(name, longest)
        if any(
            isinstance(v, bool) or not isinstance(v, (int, float)) or not math.isfinite(v) for v in values
        ):
            raise self.wrong(f"{name} must hold numbers only")
        return tuple(float(v) for v in values)

    def objects(self, name: str, longest: int) -> tuple[Mapping[str, Any], ...]:
        values = self.list(name, longest)
        if not all(isinstance(value, dict) for value in values):
            raise self.wrong(f"{name} must hold objects only")
        return tuple(values)

    def object(self, name: str) -> dict[str, Any]:
        value = self._get(name)
        if not isinstance(value, dict):
            raise self.wrong(f"{name} must be an object")
        return value

    def file_name(self, name: str, endings: tuple[str, ...]) -> str:
        """A plain file name: no folder, no leading dot, one of the endings."""
        value = self._get(name)
        if not isinstance(value, str) or not _PLAIN_NAME.fullmatch(value) or value.endswith((".", " ")):
            raise self.wrong(f"{name} must be a plain file name, got {value!r}")
        if not value.lower().endswith(endings):
            raise self.wrong(f"{name} must end in {' or '.join(endings)}, got {value!r}")
        return value
