"""What was measured, for people: a table and a picture of evaluation.json."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

OURS, OTHER, TRUE = "#2a6f97", "#c9c9c9", "#e09f3e"

PANELS: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
    (
        "PSNR in holes, dB",
        (("psnr_hole_telea", "Telea", OTHER), ("psnr_hole", "generated", OURS)),
    ),
    (
        "PSNR where covered, dB",
        (
            ("psnr_covered_warp", "warp", OTHER),
            ("psnr_covered", "generated", OURS),
            ("psnr_covered_finished", "finished", TRUE),
        ),
    ),
    ("camera: rotation off, degrees", (("rotation", "generated", OURS),)),
    ("camera: translation off, share of the depth", (("translation", "generated", OURS),)),
    (
        "3D consistency: reprojection, pixels",
        (("reprojection_true", "true frames", TRUE), ("reprojection", "generated", OURS)),
    ),
    (
        "photometric consistency, dB",
        (("photometric_true", "true frames", TRUE), ("photometric", "generated", OURS)),
    ),
    ("revisit in holes: way back beside the way out, dB", (("revisit_hole", "generated", OURS),)),
    (
        "flicker, codes a frame",
        (("flicker_true", "true frames", TRUE), ("flicker", "generated", OURS)),
    ),
    (
        "sharpness, share of the truth's",
        (("sharpness", "whole frame", OURS), ("sharpness_hole", "in holes", TRUE)),
    ),
)


def plain(report: Any) -> Any:
    """The same with null for what was not measured: JSON knows no NaN."""
    if isinstance(report, dict):
        return {name: plain(value) for name, value in report.items()}
    if isinstance(report, list):
        return [plain(value) for value in report]
    return None if isinstance(report, float) and np.isnan(report) else report


def table(report: Mapping[str, Any]) -> str:
    """The figures that matter as Markdown, a row a scene and their mean; then the distances to real frames."""
    head = (
        "| scene | holes | PSNR in holes: Telea | fill | completed | generated | finished | blurred truth "
        "| SSIM in holes: Telea | generated "
        "| PSNR covered: warp | generated | finished | whole: generated | finished "
        "| grid / true | flicker / true |\n" + "|---" * 17 + "|"
    )
    named = [(each["scene"], each) for each in report["scenes"]] + [("**mean**", report["mean"])]
    rows = [head]
    for name, r in named:
        rows.append(
            f"| {name} | {100 * r['hole_share']:.0f} % | {r['psnr_hole_telea']:.2f} | {r['psnr_hole_fill']:.2f} "
            f"| {r['psnr_hole_completed']:.2f} | {r['psnr_hole']:.2f} | {r['psnr_hole_finished']:.2f} "
            f"| {r['psnr_hole_blurred_truth']:.2f} "
            f"| {r['ssim_hole_telea']:.3f} | {r['ssim_hole']:.3f} "
            f"| {r['psnr_covered_warp']:.2f} | {r['psnr_covered']:.2f} | {r['psnr_covered_finished']:.2f} "
            f"| {r['psnr_whole']:.2f} | {r['psnr_whole_finished']:.2f} "
            f"| {r['grid'] / r['grid_true']:.3f} | {r['flicker'] / max(r['flicker_true'], 1e-9):.2f} |"
        )
    rows += [
        "",
        "| scene | camera: rotation | translation | found in | reprojection (true) | photometric (true) "
        "| revisit | in holes | sharpness | in holes |",
        "|---" * 10 + "|",
    ]
    for name, r in named:
        rows.append(
            f"| {name} | {r['rotation']:.2f}° | {100 * r['translation']:.1f} % | {100 * r['controlled']:.0f} % "
            f"| {_pair(r, 'reprojection', '.2f', 'px')} | {_pair(r, 'photometric', '.1f', 'dB')} "
            f"| {r['revisit']:.1f} dB | {r['revisit_hole']:.1f} dB | {r['sharpness']:.2f} | {r['sharpness_hole']:.2f} |"
        )
    words = {
        "generated": "generated frames",
        "true": "true frames of the test scenes",
        "free": "clips made of nothing",
        "halves": "two halves of the real frames",
    }
    rows += ["", "| distance to real frames | |", "|---|---|"]
    rows += [f"| {words[name]} | {value:.3f} |" for name, value in report["distance"].items()]
    return "\n".join(rows)


def _pair(figures: Mapping[str, float], name: str, form: str, unit: str) -> str:
    """A figure and that of the true frames; a dash where a scene has none, since it moves."""
    ours, true = figures[name], figures[f"{name}_true"]
    return "–" if np.isnan(ours) or np.isnan(true) else f"{ours:{form}} ({true:{form}}) {unit}"


def draw_evaluation(path: Path, report: Mapping[str, Any]) -> None:
    """evaluation.png: a panel a figure, a group of bars a scene, and the distance to real frames level by level."""
    figure = Figure(figsize=(16, 14), layout="constrained")
    grid = figure.add_gridspec(4, 3)
    names = [each["scene"].replace("_", " ") for each in report["scenes"]]
    for place, (title, series) in enumerate(PANELS):
        panel = figure.add_subplot(grid[divmod(place, 3)])
        bars = [(label, colour, [each[key] for each in report["scenes"]]) for key, label, colour in series]
        _bars(panel, title, names, bars)
    levels = report["distance_levels"]
    colours = {"generated": OURS, "true": TRUE, "free": "#7a5195", "halves": OTHER}
    between = [f"level {number}" for number in range(2, len(levels["true"]))]
    bars = [(name, colours[name], values) for name, values in levels.items()]
    title = "sliced Wasserstein distance to real frames"
    _bars(figure.add_subplot(grid[3, :]), title, ["finest detail", *between, "what is left"], bars)
    FigureCanvasAgg(figure).print_png(str(path))


def _bars(panel: Any, title: str, names: list[str], series: list[tuple[str, str, list[float]]]) -> None:
    """Groups of bars, one a name; nothing where nothing was measured."""
    width = 0.8 / max(2, len(series))
    for index, (label, colour, values) in enumerate(series):
        at = np.arange(len(names)) + (index - (len(series) - 1) / 2) * width
        panel.bar(at, np.nan_to_num(np.array(values, float)), width, label=label, color=colour)
    turned = {"rotation": 30, "ha": "right"} if len(names) > 5 else {}
    panel.set_xticks(range(len(names)), names, fontsize=8, **turned)
    panel.set_xlim(-0.6, len(names) - 0.4)
    panel.set_ylim(0, panel.get_ylim()[1] * 1.2)  # room for the legend
    panel.set_title(title, fontsize=10, loc="left")
    panel.tick_params(axis="y", labelsize=8)
    panel.legend(fontsize=8, frameon=False, ncols=len(series), loc="upper left")
    panel.spines[["top", "right"]].set_visible(False)
