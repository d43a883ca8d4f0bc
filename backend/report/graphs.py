"""Coverage and timings as SVG: colours are classes of the page's style, so that light and dark are one drawing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from .facts import LOW, number, percent, span
from .timings import STAGES, BlockTime, stage_names

WIDTH = 1040
LEFT, RIGHT, TOP, BOTTOM = 60, 8, 10, 26
"""Room around a graph, in units of its view box."""
MOST_COLUMNS = 260
"""Frames, or blocks, are taken together where there are more."""


def coverage_graph(frames: Sequence[float], coverage: Sequence[float]) -> str:
    """The share of every frame that the reference reaches. Of frames taken together the lowest is drawn."""
    height = 170
    count = len(coverage)
    groups = [range(at, min(at + _together(count), count)) for at in range(0, count, _together(count))]
    step = (WIDTH - LEFT - RIGHT) / len(groups)
    parts = [_percent_lines(height)]
    for place, group in enumerate(groups):
        share = min(1.0, max(0.0, min(coverage[index] for index in group)))
        tall = share * (height - TOP - BOTTOM)
        told = f"Frame {span(frames[group[0]], frames[group[-1]])}: {percent(share)}"
        parts.append(
            f'<rect class="{"low" if share < LOW else "reached"}" x="{_r(LEFT + place * step)}" '
            f'y="{_r(height - BOTTOM - tall)}" width="{_r(max(step - 0.6, 0.6))}" height="{_r(tall)}">'
            f"<title>{escape(told)}</title></rect>"
        )
    for index in ticks_of(count):
        x = LEFT + (index // _together(count) + 0.5) * step
        parts.append(f'<text x="{_r(x)}" y="{height - 8}" text-anchor="middle">{frames[index]:g}</text>')
    parts.append(
        f'<line class="half" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{_half(height)}" y2="{_half(height)}"/>'
    )
    return svg(WIDTH, height, "Coverage of every frame", parts)


def timing_graph(times: Sequence[BlockTime]) -> str:
    """What the stages took of each block, in milliseconds a generated frame. Blocks taken together are averaged."""
    height = 190
    names, count = stage_names(list(times)), len(times)
    groups = [times[at : at + _together(count)] for at in range(0, count, _together(count))]
    columns = []
    for group in groups:
        shown = sum(time.generated for time in group)
        columns.append([sum(time.stages.get(name, 0.0) for time in group) / shown for name in names])
    highest = max((sum(column) for column in columns), default=0.0) or 1.0
    steps = nice_steps(0.0, highest, 4)
    top = max(steps[-1], highest)
    scale = (height - TOP - BOTTOM) / top
    parts = []
    for value in steps:
        line = _r(height - BOTTOM - scale * value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{line}" y2="{line}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{line}" dy=".35em" text-anchor="end">{value:g} ms</text>')
    step = min((WIDTH - LEFT - RIGHT) / len(groups), 120)
    for place, (group, column) in enumerate(zip(groups, columns, strict=True)):
        y = float(height - BOTTOM)
        blocks = span(group[0].block + 1, group[-1].block + 1)
        for name, value in zip(names, column, strict=True):
            tall = scale * value
            y -= tall
            told = f"Block {blocks}, {STAGES.get(name, name)}: {number(value)} ms a frame"
            parts.append(
                f'<rect class="stage{colour_of(name, names)}" x="{_r(LEFT + place * step)}" y="{_r(y)}" '
                f'width="{_r(max(0.84 * step, 0.6))}" height="{_r(tall)}"><title>{escape(told)}</title></rect>'
            )
    for place in ticks_of(len(groups)):
        x = LEFT + (place + 0.42) * step
        block = groups[place][0].block + 1
        parts.append(f'<text x="{_r(x)}" y="{height - 8}" text-anchor="middle">{block}</text>')
    return svg(WIDTH, height, "Time of the stages, block by block", parts)


def colour_of(name: str, names: Sequence[str]) -> int:
    """The number of a stage's colour: the known ones keep theirs from take to take."""
    known = list(STAGES)
    return known.index(name) if name in known else 8 + (list(names).index(name) % 2 if name in names else 0)


def svg(width: float, height: float, name: str, parts: Sequence[str]) -> str:
    """A drawing that is as wide as there is room for."""
    inside = "".join(parts)
    return (
        f'<svg viewBox="0 0 {_r(width)} {_r(height)}" role="img" aria-label="{escape(name, quote=True)}">'
        f"{inside}</svg>"
    )


def nice_steps(low: float, high: float, most: int) -> list[float]:
    """Round numbers from `low` to just past `high`, about `most` of them."""
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    return [round(step * place, 12) for place in range(first, last + 1)]


def ticks_of(count: int) -> list[int]:
    """Which of `count` places are named below a graph: first and last, and evenly some between."""
    wanted = min(count, 9)
    return sorted({round((count - 1) * place / max(1, wanted - 1)) for place in range(wanted)})


def _percent_lines(height: int) -> str:
    lines = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _r(height - BOTTOM - share * (height - TOP - BOTTOM))
        lines.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        lines.append(f'<text x="{LEFT - 8}" y="{y}" dy=".35em" text-anchor="end">{100 * share:.0f} %</text>')
    return "".join(lines)


def _half(height: int) -> str:
    return _r(height - BOTTOM - LOW * (height - TOP - BOTTOM))


def _together(count: int) -> int:
    return -(-count // MOST_COLUMNS) if count else 1


def _r(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
