"""What the public reads."""

from newsletter.archive.feeds import SHOWN, atom_feed, json_feed
from newsletter.archive.pages import issue_page, issue_text, public_values

__all__ = ["SHOWN", "atom_feed", "issue_page", "issue_text", "json_feed", "public_values"]
