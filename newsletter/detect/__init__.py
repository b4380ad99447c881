"""Step 2: which Entries are new, edited, doubtful."""

from newsletter.detect.decide import detect
from newsletter.detect.identity import Named, names_of
from newsletter.detect.settle import settle_due

__all__ = ["Named", "detect", "names_of", "settle_due"]
