"""What every test may ask for, and the account of what could not run on this machine."""

from __future__ import annotations

pytest_plugins = [
    "tests.support.session",
    "tests.support.not_run",
    "tests.support.properties",
    "tests.support.postgres",
    "tests.support.chromium",
    "tests.support.smtp",
    "tests.support.sendgrid",
    "tests.support.databases",
]
