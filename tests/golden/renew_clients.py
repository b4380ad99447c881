"""Makes ``newsletter/approve/clients.json`` from the data of the npm package ``caniemail`` (MIT):

npm pack caniemail && tar xzf caniemail-*.tgz
python -m tests.golden.renew_clients package/data/caniemail.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import newsletter.approve
from newsletter.approve.clients import PROGRAMS, features
from newsletter.compose import Compiler, page
from tests.golden.library import LINKS, digest, golden, single

SOURCE = "A compact excerpt of the data of caniemail.com, as the npm package caniemail carries it."


def main(source: Path) -> None:
    data: dict[str, Any] = json.loads(source.read_text("utf-8"))
    target = Path(newsletter.approve.__file__).parent / "clients.json"
    document = {
        "source": SOURCE,
        "licence": (source.parent.parent / "LICENSE").read_text("utf-8"),
        "date": data["last_update_date"][:10],
        "baseline": sorted(_baseline() & {feature["slug"] for feature in data["data"]}),
        "features": {
            feature["slug"]: {"title": feature["title"], "support": _support(feature["stats"])}
            for feature in sorted(data["data"], key=lambda feature: feature["slug"])
            if feature["category"] in ("css", "html", "image")
        },
    }
    target.write_text(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n", "utf-8")


def _support(stats: dict[str, Any]) -> dict[str, str]:
    """The latest answer of each program that is told about, where it is no or partly."""
    found = {}
    for key in PROGRAMS:
        family, platform = key.split(".")
        tested = stats.get(family, {}).get(platform, {})
        latest = str(next(reversed(tested.values()), "u"))[:1]
        if latest in "na":
            found[key] = latest
    return found


def _baseline() -> set[str]:
    """What the shipped themes use by themselves, around plain posts."""
    used: set[str] = set()
    plain = (
        *("ldn", "recipe", "static-site-code", "link-list", "wide-table", "ghost-cards", "german"),
        "club-accounts",
    )
    with Compiler() as compiler:
        for theme in ("letter", "bulletin", "studio"):
            samples = [golden(name, number) for number, name in enumerate(plain, 1)]
            for artefact in (
                digest(samples, compiler, theme),
                *(single(s, compiler, theme) for s in samples),
            ):
                used.update(features(page(artefact, LINKS)))
    return used


if __name__ == "__main__":
    main(Path(sys.argv[1]))
