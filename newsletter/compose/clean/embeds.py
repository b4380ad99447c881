"""What a browser plays and mail cannot: videos, players, posts of others. Each becomes a link that says
where it leads, with the picture that the service itself shows where the address gives one away."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from newsletter.compose.clean.blocks import blank
from newsletter.compose.clean.tree import Element, Node

Words = Callable[..., str]
"""A text in the newsletter's language by name: ``words("watch_on", service="YouTube")``."""

_SERVICES = (
    (re.compile(r"(?:^|\.)youtube(?:-nocookie)?\.com$"), "watch_on", "YouTube"),
    (re.compile(r"(?:^|\.)vimeo\.com$"), "watch_on", "Vimeo"),
    (re.compile(r"(?:^|\.)dailymotion\.com$"), "watch_on", "Dailymotion"),
    (re.compile(r"(?:^|\.)(?:ted\.com)$"), "watch_on", "TED"),
    (re.compile(r"(?:^|\.)(?:tiktok\.com)$"), "watch_on", "TikTok"),
    (re.compile(r"(?:^|\.)spotify\.com$"), "listen_on", "Spotify"),
    (re.compile(r"(?:^|\.)soundcloud\.com$"), "listen_on", "SoundCloud"),
    (re.compile(r"(?:^|\.)bandcamp\.com$"), "listen_on", "Bandcamp"),
    (re.compile(r"^(?:embed\.)?podcasts\.apple\.com$"), "listen_on", "Apple Podcasts"),
    (re.compile(r"(?:^|\.)(?:twitter|x)\.com$"), "read_on", "X"),
    (re.compile(r"(?:^|\.)instagram\.com$"), "see_on", "Instagram"),
    (re.compile(r"(?:^|\.)facebook\.com$"), "see_on", "Facebook"),
    (re.compile(r"^(?:www\.)?google\.[a-z.]+$"), "see_on", "Google Maps"),
    (re.compile(r"(?:^|\.)codepen\.io$"), "see_on", "CodePen"),
    (re.compile(r"^gist\.github\.com$"), "see_on", "GitHub"),
    (re.compile(r"(?:^|\.)slideshare\.net$"), "see_on", "SlideShare"),
)


def frame(element: Element, base_url: str, words: Words) -> list[Node]:
    """What stands for an ``<iframe>``, ``<embed>`` or ``<object>``; nothing where it leads nowhere."""
    given = next((element.attrs[name] for name in _FRAME_SOURCES if element.attrs.get(name)), "").strip()
    url = absolute(given, base_url)
    return linked(url, element.attrs.get("title", ""), words) if url else []


def linked(url: str, title: str, words: Words) -> list[Node]:
    """A link that says where it leads, for an address of a player or page; YouTube's with its still."""
    title = _own_title(title)
    parts = urlsplit(url)
    host = parts.hostname or ""
    if video := _youtube(host, parts.path, parts.query):
        return youtube(video, title, words)
    for pattern, text, service in _SERVICES:
        if pattern.search(host):
            page = _page(url, host, parts.path, parts.query)
            return [_linked(page, title, words(text, service=service))]
    return [_linked(url, title, words("open_on", service=host.removeprefix("www.")))]


def _own_title(title: str) -> str:
    """A title without what players put there by themselves."""
    title = re.sub(r"^Spotify Embed: ", "", " ".join(title.split()))
    return "" if title.lower() in _NO_TITLES else title


_NO_TITLES = frozenset({"youtube video player", "vimeo video player", "embedded post", "embedded content"})

_FRAME_SOURCES = ("src", "data-src", "data-lazy-src", "data")


def widget(element: Element) -> str:
    """The address of what only a script would show: an empty element that some service fills with a post or
    player, or an address that the blog did not resolve. Empty for everything else."""
    attrs = element.attrs
    if "class" not in attrs and element.tag not in _BY_TAG:
        return ""
    classes = element.classes
    if element.tag == "script":
        found = _GIST.match(attrs.get("src", "").strip())
        return f"https:{found[1]}" if found else ""
    if "wp-block-embed__wrapper" in classes and len(element.children) == 1:
        bare = _BARE.fullmatch(element.text())
        return bare[1] if bare else ""
    if (element.tag not in _LAZY_PLAYERS and _FILLED.isdisjoint(classes)) or not blank(element):
        return ""
    if element.tag in _LAZY_PLAYERS or not _PLAYERS.isdisjoint(classes):
        video = next((attrs[name] for name in _VIDEO_IDS if attrs.get(name)), "").strip()
        return f"https://www.youtube.com/watch?v={video}" if _VIDEO_ID.fullmatch(video) else ""
    return next((attrs[name] for name in _PERMALINKS if attrs.get(name)), "")


_GIST = re.compile(r"(?:https?:)?(//gist\.github\.com/[\w./-]+?)\.js(?:\?|$)")
_LAZY_PLAYERS = frozenset({"lite-youtube", "amp-youtube"})
_PLAYERS = frozenset({"youtube-player", "lite-youtube", "rll-youtube-player"})
_VIDEO_IDS = ("videoid", "data-videoid", "data-id", "data-video-id")
_VIDEO_ID = re.compile(r"[\w-]{6,20}")
_POSTS = frozenset({"instagram-media", "fb-post", "fb-video", "tiktok-embed"})
_FILLED = _PLAYERS | _POSTS
_BY_TAG = _LAZY_PLAYERS | {"script"}
_PERMALINKS = ("data-instgrm-permalink", "data-href", "cite")
_BARE = re.compile(r"\s*(https?://[^\s<>]+)\s*")


def _youtube(host: str, path: str, query: str) -> str:
    if re.search(r"(?:^|\.)youtube(?:-nocookie)?\.com$", host):
        found = re.match(r"/(?:embed|v|shorts|live)/([\w-]{6,20})", path)
        number = found[1] if found else parse_qs(query).get("v", [""])[0]
        return number if _VIDEO_ID.fullmatch(number) and number != "videoseries" else ""
    return path[1:] if host == "youtu.be" and re.fullmatch(r"/[\w-]{6,20}", path) else ""


def youtube(video: str, title: str, words: Words) -> list[Node]:
    url = f"https://www.youtube.com/watch?v={video}"
    label = words("watch_on", service="YouTube")
    still = f"https://i.ytimg.com/vi/{video}/hqdefault.jpg"
    image = Element("img", {"src": still, "alt": "", "width": "552", "height": "414"})
    return [_linked(url, title, label, image)]


def _page(url: str, host: str, path: str, query: str) -> str:
    """The page that a person would open, where the player's address tells it."""
    asked = parse_qs(query)
    if "youtube" in host and (playlist := asked.get("list", [""])[0]):
        return f"https://www.youtube.com/playlist?{urlencode({'list': playlist})}"
    if host == "platform.twitter.com" and (tweet := asked.get("id", [""])[0]).isdecimal():
        return f"https://x.com/i/status/{tweet}"
    if host == "player.vimeo.com" and (found := re.match(r"/video/(\d+)", path)):
        return f"https://vimeo.com/{found[1]}"
    if host.endswith("spotify.com") and path.startswith("/embed/"):
        return f"https://open.spotify.com{path.removeprefix('/embed')}"
    return url


def media(element: Element, base_url: str, words: Words) -> list[Node]:
    """What stands for ``<video>`` or ``<audio>``: its poster and a link to the file."""
    sources = [element, *(child for child in element.elements() if child.tag == "source")]
    urls = [found for s in sources if (found := absolute(s.attrs.get("src", ""), base_url))]
    if not urls:
        return []
    # Of several formats, the one that phones play.
    url = next((found for found in urls if urlsplit(found).path.endswith((".mp4", ".mp3", ".m4a"))), urls[0])
    label = words("watch_video" if element.tag == "video" else "listen_audio")
    title = " ".join((element.attrs.get("title") or element.attrs.get("aria-label", "")).split())
    poster = absolute(element.attrs.get("poster", ""), base_url)
    return [_linked(url, title, label, Element("img", {"src": poster, "alt": ""}) if poster else None)]


def absolute(url: str, base_url: str) -> str:
    """The URL made absolute, or empty where it is not one that a person could open."""
    url = url.strip()
    if not url.isprintable():
        url = re.sub(r"[\t\r\n]", "", url)  # as browsers do (WHATWG URL, basic parser)
    try:
        joined = url if url.startswith(("http://", "https://")) else urljoin(base_url, url) if url else ""
        if joined.startswith("//"):
            joined = "https:" + joined
        parts = urlsplit(joined)
        opens = parts.scheme in ("http", "https") and parts.hostname and not _CONTROL.search(joined)
        return joined.translate(_QUOTED) if opens else ""
    except ValueError:
        return ""


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_QUOTED = {ord(character): f"%{ord(character):02X}" for character in ' "<>`'}


def _linked(url: str, title: str, label: str, image: Element | None = None) -> Element:
    """One link around the picture and its words, so that it is read out once."""
    text = f"{label}: {title}" if title else label
    shown: list[Node] = [image, Element("br"), text] if image is not None else [text]
    return Element("p", {}, Element("a", {"href": url}, *shown))
