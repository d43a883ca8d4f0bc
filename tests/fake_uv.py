"""Stands in for the program uv, and named as such: makes an environment by venv, installs by pip, speaks as uv does."""

import subprocess
import sys

words = sys.argv[1:]
if words[0] == "venv":
    assert words[1:3] == ["--python", f">=3.{sys.version_info[1]},<3.{sys.version_info[1] + 1}"], words
    print("Using CPython 3.11.0 interpreter at: /fake/python3", flush=True)
    subprocess.run([sys.executable, "-m", "venv", words[3]], check=True)
else:
    assert words[:3] == ["pip", "install", "--python"], words
    print(
        "Resolved 1 package in 1ms\nDownloading small-package (1.0KiB)\n Downloaded small-package", flush=True
    )
    sys.exit(subprocess.run([words[3], "-m", "pip", "install", *words[4:]], check=False).returncode)
