"""One line on the terminal that tells how far something is, for background mode."""

import sys


class ProgressLine:
    """Rewrites its line; `close` ends it."""

    def __init__(self) -> None:
        self._width = 0

    def tell(self, text: str) -> None:
        """Show `text` in place of what was there."""
        line = f"InSpatio: {text}"
        sys.stdout.write(f"\r{line:{self._width}}")
        sys.stdout.flush()
        self._width = len(line)

    def close(self) -> None:
        """Go on to the next line."""
        sys.stdout.write("\n")
        sys.stdout.flush()
