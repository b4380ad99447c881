"""Step 1: be polite to a feed, and turn its bytes into Entries."""

from newsletter.poll.discover import FoundFeed, find_feeds
from newsletter.poll.parser import Parser

__all__ = ["FoundFeed", "Parser", "find_feeds"]
