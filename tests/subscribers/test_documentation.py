from __future__ import annotations

from pathlib import Path

import pytest

from subscribers.imports.dialects import KNOWN
from subscribers.model import SubscriberState, SuppressionCause
from subscribers.states import Act, Standing, decide

PAGE = (Path(__file__).parents[2] / "docs" / "subscribers.md").read_text(encoding="utf-8")
S, C = SubscriberState, SuppressionCause

BEFORE = {
    "unknown": Standing(state=None),
    "not confirmed": Standing(state=S.UNCONFIRMED),
    "active": Standing(state=S.ACTIVE, consented=True),
    "unsubscribed": Standing(state=S.UNSUBSCRIBED, causes=frozenset({C.UNSUBSCRIBED}), consented=True),
    "bounced": Standing(state=S.BOUNCED, causes=frozenset({C.BOUNCED}), consented=True),
    "complained": Standing(state=S.COMPLAINED, causes=frozenset({C.COMPLAINED}), consented=True),
    "suppressed by you": Standing(state=S.UNSUBSCRIBED, causes=frozenset({C.MANUAL}), consented=True),
    "erased": Standing(state=None, causes=frozenset({C.ERASED})),
}
WORDS = {None: "unknown", S.UNCONFIRMED: "not confirmed"}


def _row(before: str) -> str:
    cells = [before]
    for act in (Act.IMPORT, Act.AUTHOR, Act.SIGN_UP, Act.CONFIRM):
        move = decide(BEFORE[before], act)
        word = WORDS.get(move.state) or str(move.state)
        cells.append(f"{word}, asked" if move.ask else word)
    return f"| {' | '.join(cells)} |"


@pytest.mark.parametrize("before", BEFORE)
def test_the_table_of_states_is_true(before: str) -> None:
    assert _row(before) in PAGE


def test_every_service_whose_files_are_known_is_named() -> None:
    for dialect in KNOWN[1:]:
        assert dialect.title.partition("'")[0] in PAGE, dialect.title
