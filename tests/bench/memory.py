"""What this process takes, as the kernel counts it."""

from __future__ import annotations

from pathlib import Path


def memory_mb(name: str) -> float:
    """``VmRSS`` now, ``VmHWM`` the most so far; megabytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024
