"""Stands in for a Python that is too old, and named so: says it is 3.8 and runs what it is asked to by `-m`.

python fake_old_python.py -m backend serve --parent PID. The answer is that of the folder's own backend/__main__.py.
"""

from __future__ import annotations

import os
import runpy
import sys

if __name__ == "__main__":
    module = sys.argv[2]
    sys.argv = [module, *sys.argv[3:]]
    sys.path[0] = os.getcwd()  # As `python -m` does.
    sys.version_info = (3, 8, 18, "final", 0)  # type: ignore[assignment]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
