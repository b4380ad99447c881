"""Makes pages: the templates, what every one of them may use, and where a button leads afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import Request
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, RedirectResponse

from newsletter.desk import Desk
from newsletter.errors import NewsletterError
from newsletter.learn.words import explained
from newsletter.model.times import rfc3339
from newsletter.web import words
from newsletter.web.assets import Assets
from newsletter.web.templates import environment
from subscribers.addresses import masked, shown


class Pages:
    """Renders templates of ``templates/web`` for one house. Thread-safe."""

    def __init__(self, desk: Desk, assets: Assets, clock: Callable[[], datetime], *, login: str) -> None:
        self._desk = desk
        self._clock = clock
        self._env = environment()
        self._env.globals.update(
            static=assets.url,
            login_command=login,
            issue_states=words.ISSUE_STATES,
            post_states=words.POST_STATES,
            subscriber_states=words.SUBSCRIBER_STATES,
            poll_results=words.POLL_RESULTS,
            cadences=words.CADENCES,
        )
        self._env.filters.update(
            when=_when,
            day=_day,
            until=_until,
            number=words.number,
            clock=_clock_time,
            lasting=words.lasting,
            explained=explained,
            count=words.count,
            size=words.size,
            browser=words.browser,
            masked=masked,
            address=shown,
            query=_query,
            for_pages=words.for_pages,
            shortened=words.shortened,
        )

    def now(self) -> datetime:
        return self._clock()

    def page(self, request: Request, name: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        """One page. ``?done=…`` in the address becomes its sentence; nothing else of the address is shown."""
        done = words.DONE.get(request.query_params.get("done", ""), "")
        content = self.part(name, path=request.url.path, done=done, **values)
        return HTMLResponse(content, status_code=status)

    def part(self, name: str, **values: Any) -> str:
        """A piece of a page, made as it stands in the whole one."""
        title, zone = self._of_the_newsletter()
        return self._env.get_template(name).render(
            {"now": self._clock(), "zone": zone, "newsletter_title": title, **values}
        )

    def _of_the_newsletter(self) -> tuple[str, tzinfo]:
        try:
            newsletter = self._desk.newsletter()
        except NewsletterError:
            # A page that tells of a broken setting must itself not break on it.
            return "Newsletter", UTC
        return newsletter.title, ZoneInfo(newsletter.timezone)


def then(path: str, done: str = "", **query: str) -> RedirectResponse:
    """After a write: see this page, with this sentence of :data:`words.DONE`."""
    query = {**query, **({"done": done} if done else {})}
    return RedirectResponse(f"{path}?{urlencode(query)}" if query else path, status_code=303)


def _query(values: Mapping[str, object]) -> str:
    return urlencode({name: str(value) for name, value in values.items() if value})


@pass_context
def _when(context: Context, moment: datetime) -> Markup:
    text = words.when(moment, context["now"], context["zone"])
    return Markup('<time datetime="{}">{}</time>').format(rfc3339(moment), escape(text))


@pass_context
def _clock_time(context: Context, moment: datetime, span: timedelta) -> str:
    return words.clock(moment, span, context["zone"])


@pass_context
def _day(context: Context, moment: datetime) -> Markup:
    text = words.day(moment, context["now"], context["zone"])
    return Markup('<time datetime="{}">{}</time>').format(rfc3339(moment), escape(text))


@pass_context
def _until(context: Context, moment: datetime) -> str:
    return words.until(moment, context["now"])
