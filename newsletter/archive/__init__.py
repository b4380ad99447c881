"""What the public reads."""

from newsletter.archive.pages import issue_page, issue_text

__all__ = ["issue_page", "issue_text"]
