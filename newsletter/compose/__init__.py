"""Posts become a draft issue, then one compiled artefact. Notices too.

Read in this order: :mod:`plan` (what is due), :mod:`issue` (the whole way from posts to an artefact),
:mod:`clean` (any blog's HTML), :mod:`render` (templates to segments), :mod:`letter` (segments to what
is sent).
"""

from newsletter.compose.compiler import Compiler
from newsletter.compose.headline import Told, preheader_for, subject_for, told_of
from newsletter.compose.issue import compose, pictures_of, shows_excerpts
from newsletter.compose.letter import letter_of, page, text_page
from newsletter.compose.notice import compose_notice
from newsletter.compose.plan import PlannedDraft, period_key, plan_drafts, taken_up
from newsletter.compose.preview import Mode, on_a_phone, preview_html, seen_as
from newsletter.compose.themes import Theme, Themes

__all__ = [
    "Compiler",
    "Mode",
    "PlannedDraft",
    "Theme",
    "Themes",
    "Told",
    "compose",
    "compose_notice",
    "letter_of",
    "on_a_phone",
    "page",
    "period_key",
    "pictures_of",
    "plan_drafts",
    "preheader_for",
    "preview_html",
    "seen_as",
    "shows_excerpts",
    "subject_for",
    "taken_up",
    "text_page",
    "told_of",
]
