"""Step 1: be polite to a feed, and turn its bytes into Entries."""

from newsletter.poll.check import Checked, check
from newsletter.poll.discover import FoundFeed, find_feeds
from newsletter.poll.opml import Outline, read_opml, write_opml
from newsletter.poll.parser import Parser

__all__ = ["Checked", "FoundFeed", "Outline", "Parser", "check", "find_feeds", "read_opml", "write_opml"]
