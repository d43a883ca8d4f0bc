"""How long an animation takes to render: `python -m tests.time_rendering OUT.json`.

A take that is there is rendered at 1920x1080 with plates by Ctrl-F12 in bpy 5.2, in background, to PNG files: the
frames to come developed while Blender writes the one before, and developed one after the other. The best of two each.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from tests.blenders import Blender, bpy_python
from tests.build import build_extension


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    out: Path = parser.parse_args().out
    python = bpy_python("bpy-5.2")
    if python is None:
        sys.exit("bpy 5.2 is not installed: run `make .venv-5.2/ready`")
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "user").mkdir()
        blender = Blender("bpy-5.2", (str(python),), folder / "user")
        blender.run("install.py", build_extension(folder / "inspatio_blender.zip"))
        made = folder / "made"
        made.mkdir()
        found = blender.run("time_rendering.py", made, timeout=1800, INSPATIO_PYTHON=sys.executable)
    report = {**found, "cores": os.cpu_count(), "load_before": round(load, 2)}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
