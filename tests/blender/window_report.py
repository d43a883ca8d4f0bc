"""Open Report in the takes list: of a take that has one, of one whose report is missing, and cancelled."""

from pathlib import Path

import bpy
import window
from door import arguments, disable, enable, part


def open_report():
    """As a press of the button does."""
    with bpy.context.temp_override(**window.viewport()):
        assert bpy.ops.inspatio.open_report("INVOKE_DEFAULT") == {"RUNNING_MODAL"}


def close_panels():
    """Have the panels above the takes closed, as after a click on their headers."""
    disable()
    for name in ("reference", "shot", "live"):
        getattr(part(f"panels.{name}"), f"INSPATIO_PT_{name}").bl_options = {"DEFAULT_CLOSED"}
    enable()


def test(folder):
    enable()
    close_panels()
    scene = window.prepare(folder, 9)
    yield from window.open_tab()
    driver = part("inspatio_blender.driver")
    assert bpy.ops.inspatio.capture_reference() == {"FINISHED"}
    yield 0.5
    assert bpy.ops.inspatio.generate() == {"FINISHED"}
    runtime = driver.get()
    yield lambda: not runtime.busy
    assert runtime.progress.state == "finished", runtime.progress.message
    report = runtime.progress.folder / "report.html"
    before, opened = report.read_bytes(), Path(folder) / "opened"
    open_report()
    yield lambda: opened.exists()
    assert opened.read_text().strip() == str(report)
    yield lambda: runtime.working is None
    assert report.read_bytes() == before

    # Missing, it is made beside the window.
    opened.unlink()
    report.unlink()
    open_report()
    yield lambda: runtime.task is not None and runtime.task.running
    assert runtime.working[0] == "Making a report"
    assert not bpy.ops.inspatio.open_report.poll(), "one at a time"
    yield from window.ask("shot report_making")
    yield lambda: runtime.working is None
    assert report.read_bytes() == before
    yield lambda: opened.exists()

    # Esc ends it, and leaves nothing.
    report.unlink()
    opened.unlink()
    open_report()
    yield lambda: runtime.task.running
    yield from window.ask("key Escape")
    yield lambda: runtime.working is None
    yield lambda: not runtime.task.running
    assert runtime.task.state == "cancelled", runtime.task.message
    assert not list(report.parent.glob(".*")) and not report.exists() and not opened.exists()
    yield from window.ask("shot report_takes")
    return {"takes": scene.inspatio.seed}


window.Steps(test(*arguments()), 200)
