"""Pictures of the email, as Chromium shows it.

``python docs/screenshots/email_pictures.py``: the pictures of ``docs/email-gallery.md``.
``... NAME ... [--out DIR] [--height PIXELS]``: those of some samples.
``... --all`` (``make contact-sheet``): every sample in every theme, on one page to scroll through.

Composes the sample posts of ``tests/golden``, shows each at 600 and 375 px, light and dark, and writes the
four side by side as ``NAME.png``. A theme may precede a name (``studio:podcast``); ``digest`` and ``notice``
are names too; ``+pictures-off`` and ``+forced-dark`` may follow one. Needs the development install and a
Chromium (set ``CHROMIUM`` to its path where it is not found). Nothing is fetched: pictures of the sample blog
come from its folder, all others from a drawing made here.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from PIL import Image, ImageDraw
from playwright.sync_api import Page, Route, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from newsletter.compose import Compiler, Mode, Themes, compose_notice, preview_html, seen_as  # noqa: E402 - after the path
from newsletter.model.artefact import Artefact, filled_html  # noqa: E402
from newsletter.model.notice import NoticeKind  # noqa: E402
from tests.golden.library import LINKS, digest, golden, names, newsletter_for, single  # noqa: E402
from tests.support.chromium import FLAGS, find_chromium  # noqa: E402

WIDTHS = (600, 375)
BLOG = ROOT / "newsletter" / "demo" / "blog"
GALLERY = (
    "ldn",
    "ghost-cards",
    "arabic",
    "bulletin:digest",
    "bulletin:notice",
    "studio:static-site-code",
    "studio:recipe",
    "letter:ldn+pictures-off",
)
GALLERY_HEIGHT = 1400
CONTACT_HEIGHT = 2200
THEMES = ("letter", "bulletin", "studio")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("names", nargs="*", help="samples; those of the gallery by default")
    arguments.add_argument(
        "--all", action="store_true", help="every sample in every theme, and a page of them"
    )
    arguments.add_argument("--out", type=Path, help="the folder to write into")
    arguments.add_argument("--height", type=int, default=0, help="crop the sheets to this many pixels")
    given = arguments.parse_args()
    if given.all:
        wanted = [f"{theme}:{one}" for one in [*names(), "digest", "notice"] for theme in THEMES]
        folder, height = given.out or ROOT / "build" / "contact-sheet", given.height or CONTACT_HEIGHT
    else:
        wanted = given.names or list(GALLERY)
        folder = given.out or ROOT / "docs" / "images" / "email"
        height = given.height or (0 if given.names else GALLERY_HEIGHT)
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    with sync_playwright() as playwright, Compiler() as compiler:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS[1:]))
        page = browser.new_page()
        page.route("**/*", _serve)
        for number, name in enumerate(wanted, 1):
            made.append(folder / f"{re.sub('[:+]', '-', name)}.png")
            sheet = _sheet(list(_shots(page, name, compiler, height or None)))
            if given.all:  # to be looked at and thrown away: quickly rather than small
                sheet.save(made[-1], compress_level=1)
            else:
                sheet.quantize(160).save(made[-1], optimize=True)
            print(f"{number} of {len(wanted)}: {made[-1]}", flush=True)
        browser.close()
    if given.all:
        print(_contact_page(folder, made))


def _contact_page(folder: Path, pictures: list[Path]) -> Path:
    """One page with all pictures."""
    shown = "".join(
        f'<h2>{one.stem}</h2><a href="{one.name}"><img src="{one.name}" loading="lazy" width="1005"></a>'
        for one in pictures
    )
    page = folder / "index.html"
    page.write_text(f"<!doctype html><meta charset=utf-8><title>Every sample</title>{shown}\n", "utf-8")
    return page


def _shots(page: Page, name: str, compiler: Compiler, height: int | None) -> Iterator[Image.Image]:
    name, _, way = name.partition("+")
    modes = (Mode.LIGHT, Mode.FORCED_DARK) if way == "forced-dark" else (Mode.LIGHT, Mode.DARK)
    for mode in modes:
        html = _html(name, mode, compiler, images=way != "pictures-off")
        page.set_content(html, wait_until="load")
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 400})  # a page is as tall as its content
            tall = page.evaluate("document.documentElement.scrollHeight")
            page.set_viewport_size({"width": width, "height": min(tall, height or tall)})
            yield Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def _html(name: str, mode: Mode, compiler: Compiler, *, images: bool = True) -> str:
    theme, _, sample = name.rpartition(":")
    if sample == "notice":
        return _notice(theme or "letter", compiler, mode)
    artefact: Artefact
    if sample == "digest":
        posts = [
            golden(one, number) for number, one in enumerate(("ldn", "recipe", "podcast", "link-list"), 1)
        ]
        artefact = digest(
            posts, compiler, theme or "bulletin", note="Dear all,\n\na full week. *Start with the soup.*"
        )
    else:
        artefact = single(golden(sample), compiler, theme or "letter")
    return preview_html(artefact, LINKS, mode=mode, images=images)


def _notice(theme: str, compiler: Compiler, mode: Mode) -> str:
    sample = golden("ldn")
    data = {
        "subject": sample.post.title,
        "excerpt": "A reader wrote last month to ask whether I had ever looked into low-dose naltrexone.",
        "action_url": "https://news.example.org/a/token",
        "send_at": "2026-03-05T08:00:00Z",
    }
    letter = compose_notice(
        newsletter_for(sample, theme), NoticeKind.DRAFT_WAITING, data, compiler=compiler, themes=Themes()
    )
    return seen_as(filled_html(letter.html, LINKS), mode)


def _serve(route: Route) -> None:
    """Pictures only, and only ours."""
    parts = urlsplit(route.request.url)
    own = BLOG / parts.path.lstrip("/")
    if parts.hostname == "blog.example" and own.is_file():
        route.fulfill(path=own)
    elif route.request.resource_type == "image":
        route.fulfill(body=_drawing(parts.path), content_type="image/png")
    else:
        route.abort()


def _drawing(seed: str) -> bytes:
    """A calm landscape whose colours depend on the address, so that pictures can be told apart; a formula
    or an icon is a small one."""
    tone = sum(map(ord, seed)) % 90
    image = Image.new("RGB", (1200, 800), (206 - tone, 214 - tone // 2, 220 - tone // 3))
    draw = ImageDraw.Draw(image)
    draw.ellipse((820, 120, 960, 260), fill=(244, 226, 186))
    for step in range(4):
        shade = (120 - 18 * step, 140 - 20 * step, 140 - 16 * step)
        draw.polygon(
            [(0, 480 + 80 * step), (400, 380 + 90 * step), (1200, 520 + 70 * step), (1200, 800), (0, 800)],
            fill=shade,
        )
    out = io.BytesIO()
    if "latex" in seed or "icon" in seed:
        image = image.resize((48, 24))
    image.save(out, "PNG")
    return out.getvalue()


def _sheet(pictures: list[Image.Image]) -> Image.Image:
    size = (sum(picture.width + 12 for picture in pictures) + 12, max(one.height for one in pictures))
    sheet = Image.new("RGB", size, "#8a8f94")
    left = 12
    for picture in pictures:
        sheet.paste(picture, (left, 0))
        left += picture.width + 12
    return sheet


if __name__ == "__main__":
    main()
