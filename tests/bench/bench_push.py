"""How long after a hub's push a new post's draft can be looked at: ``python -m tests.bench.bench_push``.

A blog with its hub on loopback, the real server and schedule, no settle time. Each round publishes one post,
pushes, and waits for the composed draft. Asserts nothing about time.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

from newsletter.wiring import House
from tests.intake.blog import articles
from tests.support.live_blog import LiveBlog
from tests.web.hooks.test_websub import comes_true, composed, running


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=15)
    rounds = arguments.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder, LiveBlog(articles(1, 2), has_hub=True) as blog:
        with running(Path(folder), feed_url=blog.feed_url) as house:
            assert blog.subscribed.wait(20)
            took = []
            for number in range(3, 3 + rounds):
                blog.articles = articles(*range(1, number + 1))
                pushed = time.monotonic()
                blog.push()
                assert comes_true(partial(_stand, house, number - 2))
                took.append(time.monotonic() - pushed)
            print(
                f"push to draft: median {statistics.median(took):.2f} s, longest {max(took):.2f} s, "
                f"{rounds} rounds"
            )


def _stand(house: House, drafts: int) -> bool:
    return len(composed(house)) == drafts


if __name__ == "__main__":
    main()
