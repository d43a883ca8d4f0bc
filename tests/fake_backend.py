"""The real server in a process of its own, over small random weights; its sessions are fake with --fake.

python fake_backend.py WEIGHTS serve --parent PID [--fake]
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from fakes import FakeSession

from backend.life import serve
from backend.presets import Presets
from backend.protocol import TOKEN_VARIABLE
from backend.service import Service
from backend.session import Session

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("weights", type=Path)
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("--parent", type=int)
    parser.add_argument("--fake", action="store_true")
    asked = parser.parse_args()
    service = Service(
        Presets(asked.weights, asked.weights / "downloaded"), FakeSession if asked.fake else Session
    )
    service.warm("tiny")
    serve(service, os.environ.pop(TOKEN_VARIABLE), parent=asked.parent)
