"""The checklist: what stands between a draft and approval. Pure over facts: never touches the network."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from newsletter.approve.clients import snapshot, unsupported
from newsletter.approve.contrast import poor_pairs
from newsletter.approve.measure import GMAIL_CLIPS_AT, GMAIL_STYLE_LIMIT, Measured, joined, measure
from newsletter.guard.addresses import is_private_host
from newsletter.model.artefact import Artefact
from newsletter.model.checklist import CheckLine, Checklist, Level
from newsletter.model.picture import Picture, Pictured
from newsletter.model.post import Post
from newsletter.model.publication import Newsletter

SUBJECT_LENGTH: Final = 70
PREHEADER_LENGTH: Final = 140
_SHORTENERS: Final = frozenset(
    {"bit.ly", "tinyurl.com", "goo.gl", "t.co", "ow.ly", "is.gd", "buff.ly", "rebrand.ly", "cutt.ly", "t.ly",
     "rb.gy", "shorturl.at", "tiny.cc", "v.gd", "lnkd.in"}
)  # fmt: skip
"""Spam filters hold what such links hide against the mail that carries them."""


def checklist(
    newsletter: Newsletter,
    artefact: Artefact | None,
    posts: Sequence[Post] = (),
    *,
    problem: str = "",
    mend: str = "",
    private_links: bool = False,
    palettes: Mapping[str, Mapping[str, str]] | None = None,
    excerpts: bool = False,
    ascii_sender: bool = False,
    pictured: Sequence[Pictured] = (),
    pictures: Mapping[str, Picture] | None = None,
    missing: str = "",
) -> Checklist:
    """Every line of a draft's checklist, blocking ones first.

    ``artefact`` is None where composing failed; ``problem`` then says why, ``mend`` what to do.
    ``private_links`` allows links to private hosts: for a demonstration, an intranet, or mail that only lands
    in a folder. ``palettes`` are the theme's colours by name ("light", "dark"). ``excerpts``: posts show only
    their beginnings already, so that this is not offered against a size. ``ascii_sender``: who hands it over
    takes no other letters in From (SendGrid). ``pictured`` are the posts' images as they are shown and
    described; ``pictures`` what is known of them where copies are kept, ``missing`` why none can be.
    """
    lines = [*_newsletter(newsletter, private_links)]
    if ascii_sender and newsletter.sender and not newsletter.sender.name.isascii():
        lines.append(
            _block(
                "sender",
                "SendGrid takes no letters beyond ASCII, such as é, in the sender's name.",
                "Write it without them, or send through SendGrid's SMTP server, which takes every name.",
            )
        )
    if artefact is None:
        lines.append(
            _block(
                "template",
                problem or "The email could not be composed.",
                mend or "Mend the theme, or choose another.",
            )
        )
    else:
        facts = measure(artefact)
        lines += [
            *_content(facts, artefact),
            *_size(facts, artefact, excerpts),
            *_links(facts, private_links),
            *_looks(facts, artefact),
            *_described(facts, pictured, {post.id: post.title for post in posts}),
            *_copies(pictures or {}, missing),
            *_clients(artefact),
            *_contrast(palettes or {}),
            *_posts(posts),
        ]
    return Checklist.of(lines)


def _newsletter(newsletter: Newsletter, private_links: bool) -> Iterable[CheckLine]:
    if newsletter.sender is None or not newsletter.sender.address:
        yield _block(
            "from", "From is not set.", "Say in the settings which name and address the mail comes from."
        )
    else:
        yield _good("from", f"It comes from {newsletter.sender.name or newsletter.sender.address}.")
    if not newsletter.postal_address.strip():
        yield _block(
            "postal_address",
            "There is no postal address.",
            "The law asks for one in most countries (in the United States 15 U.S.C. 7704(a)(5)). A post"
            " office box or a registered agent's address will do; in Germany and Austria the address of your"
            " imprint.",
        )
    else:
        yield _good("postal_address", "The postal address is in the footer.")
    if not private_links and is_private_host(newsletter.base_url):
        yield _block(
            "base_url",
            f"The newsletter's own address is {newsletter.base_url}, which subscribers cannot reach: their"
            " unsubscribe link would not work.",
            "Set BASE_URL to the public https address of this installation.",
        )


def _content(facts: Measured, artefact: Artefact) -> Iterable[CheckLine]:
    if "unsubscribe_url" not in facts.slots or not any(
        s.slot and s.text == "unsubscribe_url" for s in artefact.text
    ):
        yield _block(
            "unsubscribe",
            "The email has no unsubscribe link, or its plain text has none.",
            "Put {{ slot('unsubscribe_url') }} back into the theme's footer and text.txt.j2.",
        )
    else:
        yield _good("unsubscribe", "Everybody has an unsubscribe link of their own.")
    if not artefact.blocks or (facts.words == 0 and not facts.images):
        yield _block("empty", "There is nothing in it.", "Include a post, or cancel this issue.")
    if not artefact.subject:
        yield _block("subject", "It has no subject.", "Write one.")
    elif len(artefact.subject) > SUBJECT_LENGTH:
        yield _advise(
            "subject",
            f"The subject has {len(artefact.subject)} characters; a phone shows about 60 at most, most"
            f" programs {SUBJECT_LENGTH}.",
            "Say the important words first, or shorten it.",
        )
    if not artefact.preheader:
        yield _advise(
            "preheader", "There is no preview line.", "One sentence beside the subject helps readers choose."
        )
    elif len(artefact.preheader) > PREHEADER_LENGTH:
        yield _advise(
            "preheader",
            f"The preview line has {len(artefact.preheader)} characters; no inbox shows more than"
            f" {PREHEADER_LENGTH}.",
            "Shorten it.",
        )


def _size(facts: Measured, artefact: Artefact, excerpts: bool) -> Iterable[CheckLine]:
    share = round(100 * facts.size / GMAIL_CLIPS_AT)
    shown = f"{facts.size / 1024:.0f} KB of the 102 KB that Gmail shows ({share} %)"
    titles = {block.number: block.title for block in artefact.blocks}
    heaviest = max(titles, key=lambda number: facts.weights.get(number, 0), default=-1)
    weight = (
        f"“{titles[heaviest]}” weighs most, {facts.weights.get(heaviest, 0) / 1024:.0f} KB" if titles else ""
    )
    if facts.clipped_in is not None:
        where = f"within “{titles[facts.clipped_in]}”" if facts.clipped_in in titles else "in the footer"
        yield _block(
            "size",
            f"It has {shown}: Gmail would cut it off {where}, with the unsubscribe link behind the cut."
            f" {weight}.",
            "Leave posts out, or shorten the longest."
            if excerpts
            else "Show the beginnings of posts only (a choice on the draft page, or: newsletter issues edit"
            " --excerpts), leave posts out, or shorten the longest.",
        )
    elif share >= 80:
        lighter = "" if excerpts else " The beginnings of posts alone would weigh less."
        yield _advise(
            "size", f"It has {shown}. {weight}.", f"Beyond the limit Gmail cuts the end off.{lighter}"
        )
    else:
        yield _good("size", f"It has {shown}. {weight}." if len(titles) > 1 else f"It has {shown}.")
    if facts.style > GMAIL_STYLE_LIMIT:
        yield _advise(
            "style",
            f"Its style sheets have {facts.style:,} characters; Gmail drops all of them beyond"
            f" {GMAIL_STYLE_LIMIT:,}.",
            "Shorten the theme's style.css.j2.",
        )


def _links(facts: Measured, private_links: bool) -> Iterable[CheckLine]:
    addresses = [*facts.links, *(image.src for image in facts.images)]
    private = [url for url in addresses if url.startswith(("http:", "https:")) and is_private_host(url)]
    if private and not private_links:
        yield _block(
            "private_link",
            f"{_count(len(private), 'link')} or images lead to a private address, such as"
            f" {_short(private[0])}.",
            "Nobody outside can open them. Mend them on the blog.",
        )
    short = [url for url in facts.links if (urlsplit(url).hostname or "").removeprefix("www.") in _SHORTENERS]
    if short:
        yield _advise(
            "shortener",
            f"{_count(len(short), 'link')} through a shortener, such as {_short(short[0])}:"
            " spam filters distrust it.",
            "Link to the page itself.",
        )


def _looks(facts: Measured, artefact: Artefact) -> Iterable[CheckLine]:
    plain = [image for image in facts.images if image.src.startswith("http:")]
    if plain:
        yield _advise(
            "http_images",
            f"{_count(len(plain), 'image')} over plain http, such as {_short(plain[0].src)}:"
            " some programs do not show it.",
            "Use https on the blog, in its settings and in the addresses of pictures.",
        )
    steps = list(zip(facts.headings, facts.headings[1:], strict=False))
    if facts.headings.count(1) != 1 or any(after > before + 1 for before, after in steps):
        yield _advise(
            "headings",
            "The headings skip a level, or there is not exactly one main heading.",
            "Screen readers jump by them.",
        )


def _described(
    facts: Measured, pictured: Sequence[Pictured], titles: Mapping[int, str]
) -> Iterable[CheckLine]:
    silent = [image for image in pictured if image.silent]
    frame = [image for image in facts.images if image.block < 0 and not image.alt]
    if silent or frame:
        where = f"“{titles.get(silent[0].post_id, '')}”" if silent else "the newsletter's own frame"
        yield _advise(
            "alt",
            f"{_count(len(silent) + len(frame), 'picture')} without a description, the first in {where}.",
            "Where pictures are off or cannot be seen, nothing is said. Describe them in the list of pictures"
            " on the draft page (or: newsletter issues edit --alt), or say there that they are decoration."
            if silent
            else "Describe the theme's own pictures in its files.",
        )
    elif pictured:
        decoration = sum(image.decorative for image in pictured)
        rest = f"; {decoration} only decoration" if decoration else ""
        yield _good("alt", f"{_count(len(pictured), 'picture')}, all described{rest}.")


def _copies(pictures: Mapping[str, Picture], missing: str) -> Iterable[CheckLine]:
    if missing:
        text, _, mend = missing.partition(". ")
        yield _advise("copies", f"{text}.", mend or "Or set IMAGES to linked.")
    without = [picture for picture in pictures.values() if picture.problem]
    copied = sum(bool(picture.copy) for picture in pictures.values())
    if without:
        first = without[0]
        yield _advise(
            "copies",
            f"No copy of {_count(len(without), 'picture')} could be kept; the first, {_short(first.source)},"
            f" {first.problem}.",
            "It is shown from the blog, where mail programs that know its format get it. Put a JPEG or PNG of"
            " less than 5 MB there.",
        )
    elif copied:
        yield _good(
            "copies",
            f"{_count(copied, 'picture')} in a format or size that not every program shows: a copy is kept"
            " and shown instead.",
        )


def _clients(artefact: Artefact) -> Iterable[CheckLine]:
    found = unsupported(joined(artefact.html))
    if found:
        shown = "; ".join(f"{one.title} ({', '.join(one.programs[:3])})" for one in found[:4])
        yield _advise(
            "clients",
            f"Some programs do not show everything: {shown}.",
            f"By the tests of caniemail.com, as of {snapshot().date}. Where it matters, do without.",
        )


def _posts(posts: Sequence[Post]) -> Iterable[CheckLine]:
    short = [post for post in posts if post.truncated]
    if short:
        yield _advise(
            "truncated",
            f"Of {_count(len(short), 'post')} the feed carries only the beginning, the first is"
            f" “{short[0].title}”.",
            "Let the feed carry the full text (on Blogger: Settings, Site feed, Full), or leave it so:"
            " the email then ends with a link to the rest.",
        )


def _contrast(palettes: Mapping[str, Mapping[str, str]]) -> Iterable[CheckLine]:
    for name, palette in palettes.items():
        for ink, ground, ratio in poor_pairs(palette):
            yield _advise(
                "contrast",
                f"In the {name} palette {ink} on {ground} has a contrast of {ratio:.1f}; readable text"
                " needs 4.5 (WCAG 2.2, 1.4.3).",
                "Change one of the two in theme.toml.",
            )


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _short(url: str) -> str:
    return re.sub(r"^(.{57}).{4,}$", r"\1…", url)


def _block(code: str, text: str, mend: str) -> CheckLine:
    return CheckLine(level=Level.BLOCKING, code=code, text=text, mend=mend)


def _advise(code: str, text: str, mend: str) -> CheckLine:
    return CheckLine(level=Level.ADVICE, code=code, text=text, mend=mend)


def _good(code: str, text: str) -> CheckLine:
    return CheckLine(level=Level.GOOD, code=code, text=text)
