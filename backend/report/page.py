"""The report's file: HTML with its style and pictures inside, which loads nothing and runs nothing.

Every text goes through `escape`; the policy in its head has the browser refuse whatever else might be there.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from ..protocol.files import MOVIE_FILE, Reference, Take
from .facts import LOW, Rows, figures, low_sentence, number, percent, settings, span, versions
from .graphs import colour_of, coverage_graph, timing_graph
from .paths import camera_paths
from .timings import BlockTime, block_times, stage_names, stage_times, steady

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

STYLE = """
:root { color-scheme: light dark;
  --paper: #f6f6f4; --card: #ffffff; --ink: #1f2326; --soft: #646b72; --line: #dcdfe2;
  --path: #1f6fd0; --view: #b9770e; --low: #cc4b1c; --reached: #7fb2e8; --good: #2f8f4e;
  --s0: #4477aa; --s1: #66ccee; --s2: #228833; --s3: #ccbb44; --s4: #ee6677; --s5: #aa3377; --s6: #997755;
  --s7: #999fa5; --s8: #6a51a3; --s9: #41ab9d; --rest: #c9cdd1; }
@media screen and (prefers-color-scheme: dark) { :root {
  --paper: #141618; --card: #1d2023; --ink: #e4e7ea; --soft: #9aa2aa; --line: #34393e;
  --path: #6aaef5; --view: #e0a53a; --low: #f08050; --reached: #35689b; --good: #5fc280;
  --s0: #5b8fc4; --s2: #3aa04c; --s5: #c2539a; --s6: #b08d68; --s7: #7d848b; --s8: #8f79c4; --rest: #484e54; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 28px 20px 48px; }
h1 { margin: 0; font-size: 26px; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 0 0 10px; font-size: 16px; }
h3 { margin: 0 0 6px; font-size: 13px; font-weight: 600; color: var(--soft); }
p { margin: 8px 0 0; }
a { color: inherit; }
.soft { color: var(--soft); }
.state { font-weight: 600; color: var(--low); }
.state.finished { color: var(--good); }
.message { margin-top: 12px; padding: 8px 12px; border-left: 3px solid var(--low); background: var(--card); }
.figures { display: flex; flex-wrap: wrap; gap: 10px 34px; margin: 18px 0 0; }
.figures dt { font-size: 12px; color: var(--soft); }
.figures dd { margin: 0; font-size: 20px; font-weight: 600; font-variant-numeric: tabular-nums; }
section { margin-top: 18px; padding: 16px 18px 18px; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; }
.sheet { display: grid; gap: 12px 10px; grid-template-columns: repeat(auto-fill, minmax(176px, 1fr)); }
.sheet figure { margin: 0; }
.sheet img { display: block; width: 100%; height: auto; border-radius: 3px; background: var(--line); }
.sheet figcaption { display: flex; justify-content: space-between; font-size: 12px; color: var(--soft);
  font-variant-numeric: tabular-nums; }
.sheet .low { color: var(--low); font-weight: 600; }
svg { display: block; width: 100%; height: auto; }
svg text { font-size: 11px; fill: var(--soft); }
svg text.name { font-size: 12px; font-weight: 600; fill: var(--ink); }
svg text.axis { font-weight: 600; }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .half { stroke: var(--low); stroke-width: 1.2; stroke-dasharray: 5 4; }
svg rect.reached { fill: var(--reached); }
svg rect.low { fill: var(--low); }
svg .way { fill: none; stroke-width: 2.2; stroke-linejoin: round; stroke-linecap: round; }
svg .frustum { fill: none; stroke-width: 1; stroke-linejoin: round; opacity: .75; }
svg .path { stroke: var(--path); }
svg .view { stroke: var(--view); }
svg .way.view { stroke-width: 5; opacity: .4; }
svg .frustum.view { stroke-width: 1.5; opacity: 1; }
svg .start { fill: var(--path); stroke: var(--card); stroke-width: 1.5; }
svg .end { fill: var(--card); stroke: var(--path); stroke-width: 2.2; }
.paths { display: grid; gap: 18px; grid-template-columns: repeat(auto-fit, minmax(340px, 1fr)); }
.paths svg { border: 1px solid var(--line); border-radius: 4px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; margin-top: 10px; font-size: 13px; color: var(--soft); }
.legend svg, td svg { display: inline-block; width: 14px; height: 14px; margin-right: 6px; vertical-align: -2px;
  border: 0; }
table { width: 100%; border-collapse: collapse; font-size: 14px; }
th, td { padding: 4px 10px 4px 0; border-top: 1px solid var(--line); text-align: left; vertical-align: top; }
tr:first-child > * { border-top: 0; }
th { font-weight: 400; color: var(--soft); white-space: nowrap; }
td { overflow-wrap: anywhere; }
.facts th { width: 13em; }
.times { margin-top: 14px; }
.times .n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.two { display: grid; gap: 0 18px; grid-template-columns: repeat(auto-fit, minmax(340px, 1fr)); }
.stage0 { fill: var(--s0); } .stage1 { fill: var(--s1); } .stage2 { fill: var(--s2); }
.stage3 { fill: var(--s3); } .stage4 { fill: var(--s4); } .stage5 { fill: var(--s5); }
.stage6 { fill: var(--s6); } .stage7 { fill: var(--s7); } .stage8 { fill: var(--s8); }
.stage9 { fill: var(--s9); } .rest { fill: var(--rest); }
@media print {
  @page { margin: 12mm; }
  :root { --paper: #ffffff; }
  body { font-size: 11pt; }
  main { max-width: none; padding: 0; }
  section { break-inside: avoid; border-radius: 0; }
  .sheet { grid-template-columns: repeat(5, 1fr); }
  .paths { grid-template-columns: 1fr 1fr; }
  .facts th { width: 9em; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""


@dataclass(frozen=True)
class Thumbnail:
    """A frame on the contact sheet: its file, scene frame, coverage where it is known, and the picture as JPEG."""

    name: str
    frame: float
    coverage: float | None
    jpeg: bytes
    width: int
    height: int


def page(take: Take, reference: Reference | None, sheet: Sequence[Thumbnail]) -> str:
    """The whole file."""
    name = escape(take.shot.name)
    sections = [
        _section("Contact sheet", _sheet(take, sheet)),
        _section("Coverage", _coverage(take)),
        _section("Timings", _timings(take)),
        _section("Camera path", _paths(take, reference)),
        '<div class="two">',
        _section("Settings", _table(settings(take, reference))),
        _section("Versions", _table(versions(take))),
        "</div>",
    ]
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{name}, take {take.number}</title>",
            f"<style>{STYLE}</style>",
            "</head>",
            "<body>",
            "<main>",
            _header(take),
            *sections,
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _header(take: Take) -> str:
    frames = take.shot.cameras.frames
    told = f"Take {take.number}, frames {span(frames[0], frames[-1])}, {take.shot.width} × {take.shot.height}"
    state = f'<span class="state {take.state}">{take.state}</span>'
    message = f'<p class="message">{escape(take.message)}</p>' if take.message else ""
    boxes = "".join(
        f"<div><dt>{escape(label)}</dt><dd>{escape(value)}</dd></div>" for label, value in figures(take)
    )
    return (
        f"<header><h1>{escape(take.shot.name)}</h1>"
        f'<div class="soft">{escape(told)}, {state} {escape(take.updated)}</div>'
        f'{message}<dl class="figures">{boxes}</dl></header>'
    )


def _section(title: str, content: str) -> str:
    return f"<section><h2>{title}</h2>{content}</section>"


def _sheet(take: Take, sheet: Sequence[Thumbnail]) -> str:
    """Every picture leads to the frame beside the report, where the report still lies with its take."""
    figures_ = []
    for one in sheet:
        data = base64.b64encode(one.jpeg).decode()
        share = ""
        if one.coverage is not None:
            low = ' class="low"' if one.coverage < LOW else ""
            share = f"<span{low}>{percent(one.coverage)}</span>"
        figures_.append(
            f'<figure><a href="{escape(one.name, quote=True)}"><img alt="Frame {one.frame:g}" '
            f'width="{one.width}" height="{one.height}" src="data:image/jpeg;base64,{data}"></a>'
            f"<figcaption><span>{one.frame:g}</span>{share}</figcaption></figure>"
        )
    movie = ""
    if take.state == "finished" and MOVIE_FILE not in take.message:
        movie = f' All frames: <a href="{MOVIE_FILE}">{MOVIE_FILE}</a>, beside this file.'
    hint = f'<p class="soft">Frame, and how much of it the reference reaches.{movie}</p>'
    return f'<div class="sheet">{"".join(figures_)}</div>{hint}'


def _coverage(take: Take) -> str:
    frames = take.shot.cameras.frames
    if not take.coverage:
        return '<p class="soft">It was not measured.</p>'
    sentence = low_sentence(frames, take.coverage)
    return f"{coverage_graph(frames, take.coverage)}<p>{escape(sentence)}</p>"


def _timings(take: Take) -> str:
    times = block_times(take)
    if not times:
        return '<p class="soft">Nothing was timed: the take was kept from a preview.</p>'
    counted = steady(times)
    hint = f"Milliseconds a generated frame, block by block. The table {_blocks_told(times, counted)}."
    return f'{timing_graph(times)}{_times_table(counted)}<p class="soft">{escape(hint)}</p>'


def _blocks_told(times: Sequence[BlockTime], counted: Sequence[BlockTime]) -> str:
    if len(counted) < len(times):
        return "leaves out the first block, which also waited for the backend to begin"
    return "counts its only block, which also waited for the backend to begin"


def _times_table(counted: list[BlockTime]) -> str:
    names = stage_names(counted)
    rows = [
        '<tr><th>Stage</th><th class="n">a frame</th><th class="n">a block</th><th class="n">share</th></tr>'
    ]
    for time in stage_times(counted):
        fill = f"stage{colour_of(time.stage, names)}" if time.stage in names else "rest"
        rows.append(
            f'<tr><td>{_swatch(f"""<rect class="{fill}" width="14" height="14" rx="2"/>""")}{escape(time.label)}</td>'
            f'<td class="n">{number(time.frame_ms)} ms</td><td class="n">{number(time.block_ms)} ms</td>'
            f'<td class="n">{100 * time.share:.1f} %</td></tr>'
        )
    return f'<table class="times">{"".join(rows)}</table>'


def _paths(take: Take, reference: Reference | None) -> str:
    drawn = "".join(f"<div><h3>{title}</h3>{svg}</div>" for title, svg in camera_paths(take, reference))
    legend = [
        f'{_swatch("""<circle class="start" cx="7" cy="7" r="5.5"/>""")}start',
        f'{_swatch("""<rect class="end" x="2" y="2" width="10" height="10"/>""")}end',
        f'{_swatch("""<path class="way path" d="M1 7H13"/>""")}the shot’s camera',
    ]
    if reference is not None:
        legend.append(
            f'{_swatch("""<path class="frustum view" d="M1 12L7 2L13 12Z"/>""")}the reference’s views'
        )
    items = "".join(f"<span>{item}</span>" for item in legend)
    missing = ""
    if reference is None:
        missing = (
            '<p class="soft">The reference is not beside the take as it was: its views are not drawn.</p>'
        )
    hint = '<p class="soft">World axes in scene units, Z up; a drawing has one scale.</p>'
    return f'<div class="paths">{drawn}</div><div class="legend">{items}</div>{hint}{missing}'


def _swatch(inside: str) -> str:
    return f'<svg viewBox="0 0 14 14" aria-hidden="true">{inside}</svg>'


def _table(rows: Rows) -> str:
    lines = "".join(f"<tr><th>{escape(label)}</th><td>{escape(value)}</td></tr>" for label, value in rows)
    return f'<table class="facts">{lines}</table>'
