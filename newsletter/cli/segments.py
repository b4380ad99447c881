"""newsletter subscribers segments."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from newsletter import wiring
from newsletter.cli.output import MOST_ID, After, AsJson, Limit, say, show_json, show_table
from subscribers.model import Cadence
from subscribers.segments import Filter

segments = typer.Typer(no_args_is_help=True, help="Parts of the list, named and counted.")
Id = Annotated[int, typer.Argument(metavar="SEGMENT", min=0, max=MOST_ID, help="Its id.")]
_DAY: Final = ["%Y-%m-%d"]


@segments.command("save")
def save(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    cadence: Annotated[Cadence | None, typer.Option(help="How often they hear.")] = None,
    topic: Annotated[str, typer.Option(help="They still want posts about it.")] = "",
    tag: Annotated[list[str] | None, typer.Option(help="They have it; several: any of them.")] = None,
    without_tag: Annotated[list[str] | None, typer.Option(help="They do not have it.")] = None,
    domain: Annotated[list[str] | None, typer.Option(help="Where their mailbox is; several: any.")] = None,
    joined_from: Annotated[
        datetime | None, typer.Option(formats=_DAY, help="They joined on this day or later.")
    ] = None,
    joined_before: Annotated[
        datetime | None, typer.Option(formats=_DAY, help="They joined before this day.")
    ] = None,
    engaged_since: Annotated[
        datetime | None,
        typer.Option(
            formats=_DAY,
            help="They opened or clicked on this day or later: known only of those who agreed to that or "
            "were imported with it.",
        ),
    ] = None,
    quiet_since: Annotated[
        datetime | None,
        typer.Option(
            formats=_DAY,
            help="They joined before this day, and nothing of that is known since: also of whoever reads "
            "without having agreed to be known.",
        ),
    ] = None,
) -> None:
    """Keep a filter under a name, in place of an older one of that name; says how many are in it."""
    wanted = Filter(
        cadence=cadence,
        topic=topic,
        tags=tuple(tag or ()),
        without_tags=tuple(without_tag or ()),
        domains=tuple(domain or ()),
        joined_from=_start(joined_from),
        joined_before=_start(joined_before),
        engaged_since=_start(engaged_since),
        quiet_since=_start(quiet_since),
    )
    with wiring.build() as house:
        saved = house.desk.save_segment(name, wanted)
    say(f"Segment {saved.segment.id}: {saved.count:,} who may be mailed now.")


@segments.command("list")
def list_segments(as_json: AsJson = False) -> None:
    """Every segment, and how many in it may be mailed now."""
    with wiring.build() as house:
        found = house.desk.segments()
    if as_json:
        return show_json([{"id": s.segment.id, "name": s.segment.name, "count": s.count} for s in found])
    show_table(
        ["id", "name", "who"],
        [(s.segment.id, s.segment.name, f"{s.count:,}") for s in found],
        empty="None yet. Save one with: newsletter subscribers segments save NAME --tag …",
    )


@segments.command("show")
def show(segment: Id, limit: Limit = 50, after: After = 0, as_json: AsJson = False) -> None:
    """Who is in a segment, by id."""
    with wiring.build() as house:
        found = house.desk.segment_members(segment, limit=limit, after=after)
    if as_json:
        return show_json([{"id": s.id, "address": s.address, "state": s.state} for s in found])
    show_table(
        ["id", "address", "name", "state"],
        [(s.id, s.address, s.name, s.state) for s in found],
        empty="Nobody is in it.",
    )


@segments.command("remove")
def remove(segment: Id) -> None:
    """Forget a segment; nobody in it changes."""
    with wiring.build() as house:
        house.desk.remove_segment(segment)
    say("It is removed.")


def _start(day: datetime | None) -> datetime | None:
    """The beginning of a day, UTC."""
    return None if day is None else day.replace(tzinfo=UTC)
