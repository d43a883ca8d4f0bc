"""Reference Time: which moment of a moving reference each frame of the shot shows. Knows nothing of Blender.

The artist's curve may run past the reference's ends: `folded` says what is seen there. `preset_keys` are the curves
that are used most, as keys of a straight line each.
"""

from __future__ import annotations

PAST_ENDS = ("HOLD", "BOUNCE")
PRESETS = ("PLAY", "FREEZE", "REVERSE", "BOUNCE", "FREEZE_REPEAT")

Key = tuple[float, float]
"""Scene frame and Reference Time."""


def folded(time: float, first: float, last: float, past_end: str) -> float:
    """`time` within the reference's frames `first` to `last`: past an end the last view is held, or time turns back."""
    if past_end == "HOLD" or last <= first:
        return min(max(time, first), last)
    length = last - first
    past = (time - first) % (2 * length)
    return first + min(past, 2 * length - past)


def preset_keys(
    preset: str, shot: tuple[int, int], reference: tuple[float, float], current: int, hold: int
) -> list[Key]:
    """The keys of a preset for the frames of a shot, first and last, and those of a reference.

    `current` is the scene's frame. `hold` is how long FREEZE_REPEAT stands still, in frames.
    """
    (begin, end), (first, last) = shot, reference
    start = float(begin) if first <= begin <= last else first
    if preset == "FREEZE":
        return [(begin, folded(current, first, last, "HOLD"))]
    if preset == "REVERSE":
        latest = min(start + end - begin, last)
        return [(begin, latest), (begin + latest - start, start)]
    if preset == "BOUNCE":
        stride = min(last - start, (end - begin) / 2)
        if stride <= 0:
            return [(begin, start)]
        keys = [(float(begin), start)]
        while keys[-1][0] < end:
            keys.append((keys[-1][0] + stride, start if len(keys) % 2 == 0 else start + stride))
        return keys
    if preset == "FREEZE_REPEAT":
        at = min(max(current, begin), end)
        frozen = start + at - begin
        after = at + hold
        later = max(end, after + 1)
        before = [(begin, start)] if at > begin else []
        return [*before, (at, frozen), (after, frozen), (later, frozen + later - after)]
    return [(begin, start), (end, start + end - begin)]
