"""The email in a frame: its own address and its own policy, under which nothing runs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from markupsafe import Markup
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from newsletter.desk import Desk, Mode
from newsletter.errors import Conflict
from newsletter.web.security import PREVIEW_CSP

HEADERS: Final = {"Content-Security-Policy": PREVIEW_CSP, "Referrer-Policy": "no-referrer"}

FORCED: Final = "forced"

_TEXT_PAGE: Final = Markup(
    '<!doctype html><meta charset="utf-8"><title>Plain text</title>'
    "<style>:root{{color-scheme:{scheme}}}body{{margin:0;padding:24px;background:Canvas;color:CanvasText}}"
    "pre{{margin:0 auto;max-width:80ch;font:14px/1.5 ui-monospace,Menlo,Consolas,monospace;"
    "white-space:pre-wrap;overflow-wrap:anywhere}}</style><pre>{text}</pre>"
)


class Width(StrEnum):
    DESKTOP = "desktop"
    PHONE = "phone"
    PICTURES_OFF = "pictures-off"
    TEXT = "text"
    SOURCE = "source"


@dataclass(frozen=True, kw_only=True)
class View:
    """How the author looks at the email."""

    width: Width = Width.DESKTOP
    mode: Mode = Mode.LIGHT
    reader: int = 0  #: the subscriber as whom; 0: nobody in particular

    @classmethod
    def parse(cls, text: str, *, dark: str = "", reader: int = 0) -> View:
        """From an address; anything unknown is the desktop. ``dark`` is empty, ``forced``, or else."""
        known = text in {width.value for width in Width}
        return cls(
            width=Width(text) if known else Width.DESKTOP,
            mode=Mode.FORCED_DARK if dark == FORCED else Mode.DARK if dark else Mode.LIGHT,
            reader=reader,
        )

    @property
    def dark(self) -> str:
        """As addresses say it."""
        return {Mode.LIGHT: "", Mode.DARK: "1", Mode.FORCED_DARK: FORCED}[self.mode]


def answer(desk: Desk, issue_id: int, view: View) -> Response:
    """What the frame shows. Raises NotFound."""
    if view.width is Width.SOURCE:
        return PlainTextResponse(desk.preview(issue_id, format="mime", reader=view.reader), headers=HEADERS)
    try:
        if view.width is Width.TEXT:
            return _text(desk.preview(issue_id, format="text", reader=view.reader), view)
        pictures = view.width is not Width.PICTURES_OFF
        html = desk.preview(issue_id, mode=view.mode, images=pictures, reader=view.reader)
    except Conflict as problem:
        return _text(str(problem), view)  # within the frame: the page around it is whole
    return HTMLResponse(html, headers=HEADERS)


def _text(text: str, view: View) -> Response:
    page = _TEXT_PAGE.format(text=text, scheme="dark" if view.dark else "light dark")
    return HTMLResponse(page, headers=HEADERS)
