"""Which machine this is, and since when it runs: what tells a process apart from a later one with its number.

Process ids are given again, after a restart of the machine above all. Where a system does not tell, the answer is "",
and nothing is concluded from it.
"""

from __future__ import annotations

import functools
import socket
import subprocess
import sys
from pathlib import Path


def host() -> str:
    """This machine's name in its network."""
    return socket.gethostname()[:200]


@functools.cache
def boot_id() -> str:
    """What is different after each start of this machine; "" where that is not known (Windows)."""
    try:
        if sys.platform == "darwin":
            asked = ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]
            said = subprocess.run(asked, capture_output=True, text=True, timeout=5, check=True).stdout
        else:
            said = Path("/proc/sys/kernel/random/boot_id").read_text()
    except (OSError, subprocess.SubprocessError):
        return ""
    return said.strip()[:100]


def process_started(pid: int) -> str:
    """When a process was started, in ticks since the machine's own start; "" where that is not known (not Linux)."""
    try:
        # The program's name stands in brackets and may hold anything: what counts comes after the last one.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError, UnicodeError):
        return ""
