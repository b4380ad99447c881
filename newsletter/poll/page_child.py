"""Extracts the text of one web page in a child of its own: ``python -m newsletter.poll.page_child URL``.

The page comes on stdin, the text leaves on stdout. The child may be killed by its limits or by its parent.
"""

from __future__ import annotations

import re
import subprocess
import sys

from newsletter.poll import limits

WALL_S = 20.0
_TITLE = re.compile(r"\A\s*<h1>[^<]{0,1000}</h1>\s*")


def extract_in_child(page: bytes, *, url: str) -> str:
    """The main text of a page as HTML; "" where none is found or finding it takes too much."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "newsletter.poll.page_child", url],
            input=page,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=WALL_S,
            env=limits.child_environment(),
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""


def main() -> None:
    limits.limit_memory()
    limits.allow_cpu()
    import trafilatura

    text = trafilatura.extract(
        sys.stdin.buffer.read(),
        url=sys.argv[1],
        output_format="html",
        include_images=True,
        include_links=True,
        include_tables=True,
        include_comments=False,
        favor_recall=True,
    )
    sys.stdout.buffer.write(_body(text or "").encode("utf-8", "replace"))


def _body(html: str) -> str:
    """What stands inside <body>, without the post's own title on top."""
    start, end = html.find("<body>"), html.rfind("</body>")
    inside = html[start + len("<body>") : end].strip() if 0 <= start < end else html
    return _TITLE.sub("", inside, count=1)


if __name__ == "__main__":
    main()
