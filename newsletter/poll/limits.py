"""The limits that a child process takes upon itself before it reads anything foreign."""

from __future__ import annotations

import contextlib
import os
import resource
import sys

MEMORY = 512 * 1024 * 1024  #: bytes of address space
CPU_S = 10  #: for one document


def limit_memory() -> None:
    with contextlib.suppress(ValueError, OSError):  # macOS does not enforce it, and may refuse it
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def allow_cpu() -> None:
    """RLIMIT_CPU counts a process's whole life, so each document moves the soft limit on."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + 1 + CPU_S, hard))


def child_environment() -> dict[str, str]:
    """What such a child may know: no secret of ours."""
    kept = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    paths = [*(path for path in sys.path if path), *filter(None, [environment.get("PYTHONPATH")])]
    return {**environment, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)), "MALLOC_ARENA_MAX": "1"}
