"""The badge on the live picture: a few words in the corner of the camera's frame.

Main thread only.
"""

from ..coverage import percent


def words(
    frame: float, state: str, frames_a_second: float | None = None, coverage: float | None = None
) -> tuple[str, ...]:
    """What the badge says of a frame: its number, `state` in a word or two, and what is known of the rest."""
    texts = [f"{frame:g}", state]
    if frames_a_second is not None:
        texts.append(f"{frames_a_second:.1f} fps")
    if coverage is not None:
        texts.append(f"{percent(coverage)} covered")
    return tuple(texts)
