"""What the public reads."""

from newsletter.archive.pages import issue_page, issue_text, public_values

__all__ = ["issue_page", "issue_text", "public_values"]
