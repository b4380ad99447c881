"""newsletter subscribers tag, untag, unsubscribe, changes and undo: many at once."""

from __future__ import annotations

from typing import Annotated

import typer

from newsletter import wiring
from newsletter.cli.output import MOST_ID, AsJson, progress, say, show_json, show_table
from newsletter.desk import Desk, Whom
from newsletter.errors import Invalid
from subscribers import bulk
from subscribers.bulk import Doing, What
from subscribers.model import SubscriberState

Search = Annotated[str, typer.Option("--search", help="Part of an address or name.")]
State = Annotated[SubscriberState | None, typer.Option(help="Only those in this state.")]
Segment = Annotated[str, typer.Option(help="Only those in the segment of this name.")]
Everybody = Annotated[bool, typer.Option("--everybody", help="The whole list.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say how many; change nothing.")]
Tag = Annotated[str, typer.Argument(metavar="TAG")]


def add_to(subscribers: typer.Typer) -> None:
    for name, command in (
        ("tag", tag),
        ("untag", untag),
        ("unsubscribe", unsubscribe),
        ("changes", changes),
        ("undo", undo),
    ):
        subscribers.command(name)(command)


def tag(
    tag: Tag,
    search: Search = "",
    state: State = None,
    segment: Segment = "",
    everybody: Everybody = False,
    dry_run: DryRun = False,
) -> None:
    """Put a tag on many subscribers at once."""
    _many(bulk.doing(What.TAG, tag), search, state, segment, everybody, dry_run)


def untag(
    tag: Tag,
    search: Search = "",
    state: State = None,
    segment: Segment = "",
    everybody: Everybody = False,
    dry_run: DryRun = False,
) -> None:
    """Take a tag off many subscribers at once."""
    _many(bulk.doing(What.UNTAG, tag), search, state, segment, everybody, dry_run)


def unsubscribe(
    address: Annotated[str, typer.Argument(metavar="[ADDRESS]", help="One, in place of a choice.")] = "",
    search: Search = "",
    state: State = None,
    segment: Segment = "",
    everybody: Everybody = False,
    dry_run: DryRun = False,
) -> None:
    """Take somebody off the list who asked for it, or many at once."""
    if not address:
        return _many(bulk.doing(What.UNSUBSCRIBE), search, state, segment, everybody, dry_run)
    if search or state or segment or everybody or dry_run:
        raise Invalid("An address and a choice of many do not go together.", hint="Give one of the two.")
    with wiring.build() as house:
        changed = house.desk.unsubscribe(address)
    say("They are unsubscribed." if changed else "They were unsubscribed already.")


def changes(as_json: AsJson = False) -> None:
    """What was done to many at once in the last 30 days; each can be taken back."""
    with wiring.build() as house:
        found = house.desk.done_to_many()
    if as_json:
        return show_json(found)
    show_table(
        ["id", "when", "what", "subscribers", ""],
        [(d.id, d.at, _said(d.doing), f"{d.changed:,}", "taken back" if d.undone_at else "") for d in found],
        empty="Nothing was done to many at once.",
    )


def undo(
    batch: Annotated[
        int, typer.Argument(metavar="NUMBER", min=0, max=MOST_ID, help="The id of an import or change.")
    ],
) -> None:
    """Take an import or a change of many back, except for those who did something since."""
    with wiring.build() as house:
        undone = house.desk.undo(batch)
    if undone.gone or undone.left:
        say(f"{undone.gone:,} are gone; {undone.left:,} stay, since they did something since.")
    if undone.returned or not (undone.gone or undone.left):
        say(f"{undone.returned:,} are as they were before.")


def _many(
    wanted: Doing, search: str, state: SubscriberState | None, segment: str, everybody: bool, dry_run: bool
) -> None:
    if everybody == bool(search or state or segment):
        raise Invalid(
            "It is not said to whom.",
            hint="Choose by --search, --state or --segment, or say --everybody and nothing else.",
        )
    with wiring.build() as house:
        whom = _whom(house.desk, search, state, segment)
        counted = house.desk.count_many(whom, wanted)
        if dry_run:
            say(f"Would change {counted.changing:,} of {counted.found:,} subscribers. Nothing was changed.")
            return
        with progress() as bar:
            task = bar.add_task("Changing", total=counted.changing)
            done = house.desk.do_to_many(whom, wanted, lambda count: bar.update(task, completed=count))
    say(f"{done.changed:,} of {counted.found:,} subscribers: {_said(wanted)}.")
    say(f"Take it back with: newsletter subscribers undo {done.id}")


def _whom(desk: Desk, search: str, state: SubscriberState | None, segment: str) -> Whom:
    among = [one.filter for one in desk.saved_segments() if one.name == segment] if segment else []
    if segment and not among:
        raise Invalid(f"There is no segment “{segment}”.", hint="See: newsletter subscribers segments list")
    return Whom(state=state, text=search, among=tuple(among))


def _said(wanted: Doing) -> str:
    return {
        What.TAG: f"tagged “{wanted.tag}”",
        What.UNTAG: f"no longer tagged “{wanted.tag}”",
        What.UNSUBSCRIBE: "unsubscribed",
    }[wanted.what]
