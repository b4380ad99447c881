"""Programs open every link of a mail before its reader does. None of that may change anything."""

from __future__ import annotations

import re
import sqlite3
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html import unescape
from pathlib import Path

from newsletter.model.notice import NewNotice, NoticeKind
from newsletter.steps.telling import confirmation, welcome
from subscribers.requests import Form
from subscribers.signups import SignUps
from tests.web.conftest import Studio

FORM = Form(source="form: page", wording="I ask for it.")


def everything(folder: Path) -> list[str]:
    database = sqlite3.connect(folder / "newsletter.db")
    try:
        return list(database.iterdump())
    finally:
        database.close()


def links_of(message: EmailMessage, base: str) -> set[str]:
    """What stands in its header, its HTML and its text and leads to this house, as a path."""
    html, text = message.get_body(("html",)), message.get_body(("plain",))
    assert html is not None and text is not None
    whole = unescape(str(message["List-Unsubscribe"] or "") + html.get_content() + text.get_content())
    return set(re.findall(rf"{re.escape(base)}(/[\w/.?=&%-]+)", whole))


def test_looking_at_every_link_of_every_mail_changes_nothing(studio: Studio, tmp_path: Path) -> None:
    desk, store, now = studio.house.desk, studio.house.store, studio.house.tools.clock()
    desk.set_setting("AUTHOR_EMAIL", "marian@notebook.example")
    added = desk.add_subscriber("ann@example.org").subscriber
    assert added is not None
    desk.approve_issue(studio.draft())
    studio.house.turn()
    with store.begin() as unit:
        signups = SignUps(unit.subscribers)
        asked = signups.sign_up("new@example.org", FORM, now).ask
        moving = signups.change_address(added.id, "moved@example.org", FORM, now)
        assert asked is not None and moving is not None
        unit.notices.queue(confirmation(asked), now)
        unit.notices.queue(welcome(added), now)
        for kind, data in (
            (NoticeKind.ADDRESS_CHANGE, {"request": str(moving.request_id)}),
            (NoticeKind.SUBSCRIBER_LINK, {}),
        ):
            notice = NewNotice(
                key=f"test:{kind}", kind=kind, to="ann@example.org", subscriber_id=added.id, data=data
            )
            unit.notices.queue(notice, now)
    studio.house.turn()
    base = desk.newsletter().base_url
    mails = [
        message_from_bytes(file.read_bytes(), policy=default)
        for file in (tmp_path / "outbox" / "new").iterdir()
    ]
    paths = set().union(*(links_of(mail, base) for mail in mails))
    kinds = {path[:3] for path in paths}
    assert kinds >= {"/u/", "/p/", "/c/", "/m/", "/a/", "/i/"}

    before = everything(tmp_path)
    with studio.visitor(signed_in=False) as scanner:
        for path in sorted(paths):
            assert scanner.get(path).status_code == 200, path
            scanner.head(path)
            scanner.get(path, headers={"sec-purpose": "prefetch", "user-agent": "Scanner/1.0"})
    assert everything(tmp_path) == before
