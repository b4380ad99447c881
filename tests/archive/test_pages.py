from __future__ import annotations

from newsletter.archive import issue_page, issue_text
from newsletter.model.artefact import SLOTS, Artefact, Segment
from newsletter.model.publication import Sender

ARTEFACT = Artefact(
    subject="S",
    preheader="",
    sender=Sender(name="Rosa", address="rosa@example.org"),
    reply_to="",
    language="en",
    title="Field Notes",
    html=tuple(
        part for slot in SLOTS for part in (Segment(f"[{slot} "), Segment(slot, slot=True), Segment("]"))
    ),
    text=tuple(
        part for slot in SLOTS for part in (Segment(f"[{slot} "), Segment(slot, slot=True), Segment("]"))
    ),
    blocks=(),
)


def test_the_public_page_has_nobodys_name_or_link() -> None:
    for body in (
        issue_page(ARTEFACT, base_url="https://news.example.org", issue_id=7),
        issue_text(ARTEFACT, base_url="https://news.example.org", issue_id=7),
    ):
        assert "[unsubscribe_url https://news.example.org/subscribe]" in body
        assert "[preferences_url https://news.example.org/subscribe]" in body
        assert "[view_url https://news.example.org/i/7]" in body
        assert "[name ]" in body
