"""Makes the public pages: the newsletter's title and language, one style sheet, no script, strict rules."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import HTMLResponse, Response

from newsletter.model.publication import Newsletter
from newsletter.web.public import words
from newsletter.web.public.front import Front
from newsletter.web.public.look import style_sheet
from newsletter.web.templates import environment, templates_folder
from subscribers.errors import BadToken, Expired, Refused, SubscribersError, TooMany, Unknown

CSP: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
SCRIPTED_CSP: Final = f"{CSP}; script-src 'self'; connect-src 'self'"
# "same-origin" keeps links with tokens from other sites and still lets our own forms say where they come
# from, which "no-referrer" does not ("Origin: null").
HEADERS: Final = {
    "content-security-policy": CSP,
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "x-robots-tag": "noindex",
}
_STATUS: Final[dict[type[SubscribersError], tuple[int, str]]] = {
    Expired: (410, "expired"),
    BadToken: (400, "bad_link"),
    Unknown: (400, "bad_link"),  # a good link to somebody who vanished tells no more than a bad one
    Refused: (409, "refused"),
    TooMany: (429, "too_many"),
}


@dataclass(frozen=True)
class _File:
    """Served from memory under a name that changes with its content."""

    name: str
    content: bytes
    kind: str

    @classmethod
    def of(cls, content: bytes, kind: str, ending: str) -> _File:
        return cls(f"{hashlib.sha256(content).hexdigest()[:16]}.{ending}", content, kind)


class PublicPages:
    """Thread-safe. Never shows an address but by its mask."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._env = environment()
        folder = templates_folder() / "web" / "public"
        self._css = (folder / "public.css").read_bytes()
        self._script = _File.of((folder / "join.js").read_bytes(), "text/javascript", "js")

    def file(self, name: str) -> _File | None:
        """What a page of now loads under ``/public/``, by its whole name; None for any other."""
        return next((file for file in (self._script, self._style()) if file.name == name), None)

    def _style(self) -> _File:
        content = style_sheet(self._css, self._front.look())
        return _File.of(content, "text/css", "css")

    def page(
        self,
        name: str,
        /,
        *,
        status: int = 200,
        indexed: bool = False,
        scripted: bool = False,
        **values: Any,
    ) -> HTMLResponse:
        """One page of ``templates/web/public``. ``indexed`` lets search engines keep it; ``scripted`` lets
        it run our own script."""
        newsletter = self._front.newsletter()
        language = words.known(newsletter.language)
        locale = _locale(newsletter.language, language)
        content = self._env.get_template(f"public/{name}.html").render(
            {
                "newsletter": newsletter,
                "language": language,
                "direction": locale.text_direction,
                "say": saying(newsletter),
                "css": f"/public/{self._style().name}",
                "script": f"/public/{self._script.name}",
                "day": lambda moment: format_date(moment, "long", locale=locale),
                **values,
            }
        )
        headers = {k: v for k, v in HEADERS.items() if not (indexed and k == "x-robots-tag")}
        if scripted:
            headers["content-security-policy"] = SCRIPTED_CSP
        return HTMLResponse(content, status_code=status, headers=headers)

    def told(self, heading: str, text: str = "", *, status: int = 200, **values: Any) -> HTMLResponse:
        """A page that only says something. Both are names of words; ``values`` fill them in."""
        return self.page("told", status=status, heading=heading, text=text, values=values)

    def problem(self, error: SubscribersError) -> HTMLResponse:
        kinds = (_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)
        status, word = next(kinds, (400, "wrong"))
        return self.told(f"problem.{word}", f"problem.{word}_text", status=status)

    def route_class(self) -> type[APIRoute]:
        """Routes whose problems become pages."""
        pages = self

        class PublicRoute(APIRoute):
            def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
                inner = super().get_route_handler()

                async def handled(request: Request) -> Response:
                    try:
                        return await inner(request)
                    except SubscribersError as error:
                        return pages.problem(error)
                    except RequestValidationError:
                        return pages.told("problem.wrong", "problem.wrong_text", status=400)

                return handled

        return PublicRoute


def saying(newsletter: Newsletter) -> Callable[..., str]:
    """``say("leave.question", address=…)``: the sentence in the newsletter's language, not yet escaped.

    Raises KeyError for a name that has no words.
    """
    language = words.known(newsletter.language)
    said = words.words(language)
    turns = Locale.parse(language, sep="-").text_direction == "rtl"

    def say(name: str, **values: object) -> str:
        section, _, word = name.partition(".")
        filled = {"newsletter": newsletter.title, **values}
        if turns:  # an address or a title of the other direction takes no sign of ours with it
            filled = {key: f"{_FIRST_STRONG_ISOLATE}{value}{_POP}" for key, value in filled.items()}
        return said[section][word].format(**filled)

    return say


_FIRST_STRONG_ISOLATE: Final = "\u2068"
_POP: Final = "\u2069"  # both: Unicode Standard Annex 9, explicit directional isolates


def _locale(wanted: str, spoken: str) -> Locale:
    """How dates are written: as in the newsletter's own country where its language is spoken here."""
    try:
        locale = Locale.parse(wanted.replace("_", "-"), sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale.parse(spoken, sep="-")
    return locale if locale.language == spoken.partition("-")[0] else Locale.parse(spoken, sep="-")
