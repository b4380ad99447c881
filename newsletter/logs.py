"""Logs go to stderr: ids, never addresses, titles or topics (invariant 13)."""

from __future__ import annotations

import logging
import sys

import structlog

_CHATTY = (
    "apscheduler",
    "procrastinate",
    "psycopg.pool",
    "httpx",
    "httpcore",
    "sendgrid",
    "python_http_client",
    "alembic",
    "mail.log",
    "asyncio",
)
"""python_http_client logs the API key and every recipient at DEBUG."""


def start_logging(level: str) -> None:
    """One line an event, readable at a terminal and by ``grep``."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%Y-%m-%dT%H:%M:%SZ", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
            if sys.stderr.isatty()
            else structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        # Looked up at each line: a program or a test may have put another stream in its place meanwhile.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    quiet_library_logs()


def quiet_library_logs() -> None:
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.ERROR)
