"""A picture's size, and a copy that every mail client shows; by Pillow (drawings by resvg), in a child
that may be killed."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

from newsletter.compose import drawing_child, shrink_child
from newsletter.errors import ExtraMissing

HEAVIEST: Final = 5 * 1024 * 1024  #: bytes of a source: a copy's source is fetched whole
_WALL_S: Final = 30.0
_VARIABLES: Final = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")


@dataclass(frozen=True, kw_only=True)
class Shrunk:
    """``name`` and ``body`` of the copy are empty where the source will do; ``refused`` says why the source
    cannot be used at all ("cannot be read")."""

    width: int = 0
    height: int = 0
    name: str = ""
    body: bytes = b""
    refused: str = ""


def require_pillow() -> None:
    """Raises ExtraMissing where the extra is not installed."""
    if importlib.util.find_spec("PIL") is None:
        raise ExtraMissing(feature="Keeping copies of pictures", extra="images")


def shrink(body: bytes) -> Shrunk:
    """Look at a picture's bytes: at most 5 MB of them and 25 million pixels. Never raises for any bytes.

    A copy is made of what some clients cannot show (WebP, AVIF, SVG) and of what weighs more than 1 MB. It is
    named by its content, so that a name never shows anything else. Of a drawing (SVG), which can hold
    scripts, only what it looks like is kept.
    """
    if len(body) > HEAVIEST:
        return Shrunk(refused="weighs more than 5 MB")
    if not _is_drawing(body):
        return _by(shrink_child, body)
    drawn = _by(drawing_child, body)
    if len(drawn.body) <= shrink_child.HEAVY:
        return drawn
    lighter = _by(shrink_child, drawn.body)
    return (
        lighter
        if lighter.refused
        else Shrunk(width=drawn.width, height=drawn.height, name=lighter.name, body=lighter.body)
    )


def _by(how: ModuleType, body: bytes) -> Shrunk:
    try:
        child = subprocess.run(
            [sys.executable, "-P", str(how.__file__)],
            input=body,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in _VARIABLES if name in os.environ},
            timeout=_WALL_S,
        )
        line, _, copy = child.stdout.partition(b"\n")
        told: dict[str, Any] = {"refused": "takes too long or too much memory"}
        if child.returncode == 0:
            told = json.loads(line)
    except subprocess.TimeoutExpired:
        told, copy = {"refused": "takes too long"}, b""
    except OSError:  # no process or memory to be had now: one picture is no reason to stop an issue
        told, copy = {"refused": "could not be looked at"}, b""
    except ValueError:
        told, copy = {"refused": "cannot be read"}, b""
    if refused := told.get("refused"):
        return Shrunk(refused=str(refused))
    name = f"{hashlib.sha256(copy).hexdigest()[:32]}.{told['ending']}" if copy else ""
    return Shrunk(width=told["width"], height=told["height"], name=name, body=copy)


def _is_drawing(body: bytes) -> bool:
    start = body[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith((b"<svg", b"<?xml", b"<!doctype svg", b"<!--")) or b"<svg" in start
