"""newsletter issues."""

from __future__ import annotations

import sys
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import typer

from newsletter import wiring
from newsletter.cli.output import (
    MOST_ID,
    After,
    AsJson,
    Id,
    Limit,
    check_free,
    err,
    over,
    say,
    show_json,
    show_pairs,
    show_table,
    writing,
)
from newsletter.desk import IssueShown, Mode, on_a_phone
from newsletter.errors import Invalid, NewsletterError
from newsletter.model.checklist import Level
from newsletter.model.issue import IssueState
from newsletter.model.times import moment_of

issues = typer.Typer(no_args_is_help=True, help="Drafts, what was approved, and what was sent.")


class Format(StrEnum):
    HTML = "html"
    TEXT = "text"
    MIME = "mime"


class Look(StrEnum):
    LIGHT = "light"
    DARK = "dark"
    FORCED_DARK = "forced-dark"
    NO_IMAGES = "no-images"
    PHONE = "phone"


_MODES: Final = {Look.DARK: Mode.DARK, Look.FORCED_DARK: Mode.FORCED_DARK}


@issues.command("list")
def list_issues(
    state: Annotated[IssueState | None, typer.Option(help="Only those in this state.")] = None,
    limit: Limit = 50,
    after: After = 0,
    as_json: AsJson = False,
) -> None:
    """Every issue, newest first."""
    with wiring.build() as house:
        found = house.desk.issues(state=state, limit=limit, after=after)
    if as_json:
        return show_json([_public(shown) for shown in found])
    show_table(
        ["id", "state", "subject", "posts", "made", "goes"],
        [
            (s.issue.id, s.issue.state, s.issue.subject, len(s.issue.included), s.issue.created_at,
             s.issue.send_at)
            for s in found
        ],
        empty="There is no issue yet. New posts make drafts by themselves: newsletter tick",
    )  # fmt: skip


@issues.command("show")
def show_issue(
    issue_id: Id,
    links: Annotated[bool, typer.Option("--links", help="Ask every link and picture first.")] = False,
    as_json: AsJson = False,
) -> None:
    """One issue with its posts and its checklist."""
    with wiring.build() as house:
        house.desk.refresh(issue_id)
        if links:
            with err.status("Asking every link and picture"):
                house.desk.check_links(issue_id)
        shown = house.desk.issue(issue_id)
        pictures = house.desk.pictures(issue_id)
    issue = shown.issue
    if as_json:
        return show_json(
            {
                **_public(shown),
                "preheader": issue.preheader,
                "note": issue.note,
                "cadence": issue.cadence,
                "segment": issue.segment,
                "content_hash": issue.content_hash,
                "problem": issue.problem,
                "size": shown.size,
                "checklist": shown.checklist.lines,
                "pictures": [{"address": one.source, "alt": one.alt} for one in pictures],
            }
        )
    show_pairs(
        [
            ("subject", issue.subject),
            ("preview line", issue.preheader),
            ("state", issue.state),
            ("for", f"the segment {issue.segment}" if issue.segment else ""),
            ("made", issue.created_at),
            ("goes", issue.send_at),
            ("size", f"{shown.size / 1024:.0f} KB" if shown.size else ""),
            ("problem", issue.problem),
        ]
    )
    say("")
    included = {place.post_id: place.included for place in issue.posts}
    show_table(
        ["id", "in it", "title and address"],
        [(p.id, "yes" if included.get(p.id) else "left out", over(p.title, p.url)) for p in shown.posts],
        empty="It carries no post.",
    )
    if silent := [one.source for one in pictures if one.silent]:
        say("")
        show_table(["pictures without a description"], [(source,) for source in silent], empty="")
    say("")
    marks = {Level.BLOCKING: "must", Level.ADVICE: "advice", Level.GOOD: "ok"}
    show_table(
        ["", "checklist, and what to do"],
        [(marks[line.level], over(line.text, line.mend)) for line in shown.checklist.lines],
        empty="It is not composed yet. Run: newsletter tick",
    )


@issues.command("preview")
def preview_issue(
    issue_id: Id,
    form: Annotated[Format, typer.Option("--format", help="What to show.")] = Format.HTML,
    look: Annotated[
        Look,
        typer.Option(
            "--mode",
            help="How a program shows its HTML; forced-dark only approximates Gmail and Outlook, phone puts "
            "it into a page with a narrow frame.",
        ),
    ] = Look.LIGHT,
    reader: Annotated[
        str, typer.Option("--as", metavar="ADDRESS", help="As this subscriber would get it.")
    ] = "",
    out: Annotated[Path | None, typer.Option("--out", help="Write it into this file.")] = None,
) -> None:
    """The email as it will be sent."""
    if look is not Look.LIGHT and form is not Format.HTML:
        raise typer.BadParameter("--mode is for --format html.")
    with wiring.build() as house:
        house.desk.refresh(issue_id)
        text = house.desk.preview(
            issue_id,
            format=form.value,
            mode=_MODES.get(look, Mode.LIGHT),
            images=look is not Look.NO_IMAGES,
            reader=reader,
        )
    text = on_a_phone(text) if look is Look.PHONE else text
    if out is None:
        sys.stdout.write(text)
        return
    with writing(check_free(out)):
        out.write_text(text, encoding="utf-8", newline="")
    say(f"Wrote {out}.")


@issues.command("edit")
def edit_issue(
    issue_id: Id,
    subject: Annotated[str | None, typer.Option(help="The subject.")] = None,
    preheader: Annotated[str | None, typer.Option(help="The preview line.")] = None,
    note: Annotated[str | None, typer.Option(help="An introduction, in Markdown.")] = None,
    excerpts: Annotated[
        bool | None,
        typer.Option("--excerpts/--full", help="Show the beginnings of posts with a link, or whole posts."),
    ] = None,
    alt: Annotated[
        list[str] | None,
        typer.Option(
            metavar="'ADDRESS TEXT'",
            help="What the picture at this address shows; the address alone: it is mere decoration. May be"
            " repeated.",
        ),
    ] = None,
    segment: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only those in this saved segment get it.")
    ] = None,
    everybody: Annotated[
        bool, typer.Option("--everybody", help="Everybody of its rhythm gets it, whatever was chosen.")
    ] = False,
    include: Annotated[
        list[int] | None, typer.Option(min=0, max=MOST_ID, help="Put this post in; may be repeated.")
    ] = None,
    exclude: Annotated[
        list[int] | None, typer.Option(min=0, max=MOST_ID, help="Leave this post out; may be repeated.")
    ] = None,
) -> None:
    """Change a draft; an approved issue goes back to draft."""
    if (subject, preheader, note, excerpts, segment) == (None,) * 5 and not (
        alt or everybody or include or exclude
    ):
        raise typer.BadParameter(
            "Say what to change: --subject, --preheader, --note, --excerpts, --full, --alt, --segment,"
            " --everybody, --include, --exclude."
        )
    if everybody and segment is not None:
        raise typer.BadParameter("Choose one of --segment and --everybody.")
    with wiring.build() as house:
        shown = house.desk.edit_issue(
            issue_id,
            subject=subject,
            preheader=preheader,
            note=note,
            excerpts=excerpts,
            alts={source: text.strip() for source, _, text in (one.partition(" ") for one in alt or ())},
            segment="" if everybody else segment,
            include=include or (),
            exclude=exclude or (),
        )
        reached = house.desk.audience_size(issue_id) if everybody or segment is not None else None
    say(f"Issue {issue_id} is changed: {shown.issue.subject}")
    if reached is not None:
        say(f"It reaches {reached:,} who may be mailed now.")


@issues.command("test")
def test_issue(
    issue_id: Id,
    to: Annotated[str, typer.Option("--to", metavar="ADDRESS", help="Who gets the test.")],
) -> None:
    """Send a test to one address; it never touches the subscribers."""
    with wiring.build() as house:
        tested = house.desk.test_issue(issue_id, to)
    if tested.failed:
        raise NewsletterError(tested.sentence)
    say(tested.sentence)


@issues.command("approve")
def approve_issue(
    issue_id: Id,
    at: Annotated[
        str | None, typer.Option(help="When it goes, such as 2026-05-04T08:00; now where absent.")
    ] = None,
) -> None:
    """Freeze a draft: what was approved is what is sent."""
    with wiring.build() as house:
        moment = _moment(at, house.desk.newsletter().timezone) if at is not None else None
        shown = house.desk.approve_issue(issue_id, at=moment)
    when = "now" if moment is None else f"on {moment.isoformat(timespec='minutes')}"
    say(f"Issue {issue_id} is approved and goes {when}: {shown.issue.subject}")


def _public(shown: IssueShown) -> dict[str, Any]:
    issue = shown.issue
    return {
        "id": issue.id,
        "state": issue.state,
        "subject": issue.subject,
        "posts": [place.post_id for place in issue.included],
        "created_at": issue.created_at,
        "send_at": issue.send_at,
    }


def _moment(text: str, timezone: str) -> datetime:
    try:
        return moment_of(text, ZoneInfo(timezone))
    except ValueError as error:
        raise Invalid(f"“{text}” is not a time.", hint="Write it as 2026-05-04T08:00.") from error
