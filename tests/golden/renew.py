"""Writes what every sample becomes now: ``python -m tests.golden.renew``. Read the difference before you
commit it; the test only says that something changed."""

from __future__ import annotations

from newsletter.compose import Compiler
from tests.golden.library import EXPECTED, article, golden, names, single, text


def main() -> None:
    EXPECTED.mkdir(exist_ok=True)
    with Compiler() as compiler:
        for name in names():
            artefact = single(golden(name), compiler)
            (EXPECTED / f"{name}.html").write_text(article(artefact), "utf-8")
            (EXPECTED / f"{name}.txt").write_text(text(artefact), "utf-8")


if __name__ == "__main__":
    main()
