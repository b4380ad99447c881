"""An issue as a public page: what was sent, without anybody's name or link."""

from __future__ import annotations

from newsletter.model.artefact import Artefact, filled_html, filled_text


def issue_page(artefact: Artefact, *, base_url: str, issue_id: int) -> str:
    """The issue as an HTML page. Its footer leads to the sign-up page instead of a subscriber's own
    links: whoever follows "view in browser" may have had the mail forwarded."""
    return filled_html(artefact.html, public_values(base_url, issue_id))


def issue_text(artefact: Artefact, *, base_url: str, issue_id: int) -> str:
    """The issue as plain text, likewise."""
    return filled_text(artefact.text, public_values(base_url, issue_id))


def public_values(base_url: str, issue_id: int) -> dict[str, str]:
    """What fills the slots where nobody in particular reads: this page, a preview, a test."""
    subscribe = f"{base_url}/subscribe"
    return {
        "unsubscribe_url": subscribe,
        "preferences_url": subscribe,
        "view_url": f"{base_url}/i/{issue_id}",
        "base_url": base_url,
        "name": "",
        "reader": "",
    }
