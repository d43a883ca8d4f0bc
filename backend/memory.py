"""How much memory this process takes."""

from __future__ import annotations

import sys

import psutil

MB = 1e6


def memory_mb() -> float:
    """Resident memory now, in megabytes."""
    return round(psutil.Process().memory_info().rss / MB, 1)


def peak_mb() -> float:
    """The most resident memory that this process has held, in megabytes."""
    if sys.platform == "win32":
        return round(psutil.Process().memory_info().peak_wset / MB, 1)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counted = round((peak if sys.platform == "darwin" else peak * 1024) / MB, 1)
    return max(counted, memory_mb())  # the kernel counts the peak a little late
