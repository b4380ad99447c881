"""Asked to stop: finish what is in flight first."""

from __future__ import annotations

import signal
import threading


def stop_on_signal() -> threading.Event:
    """Set by SIGINT and SIGTERM, so that what is in flight is finished and recorded before the end."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    return stop
