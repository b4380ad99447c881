"""newsletter issues send, pause, resume, cancel, receipt, settle, retry."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn

from newsletter import wiring
from newsletter.cli.output import (
    After,
    AsJson,
    Id,
    Limit,
    cell,
    err,
    over,
    progress,
    say,
    show_json,
    show_pairs,
    show_table,
)
from newsletter.cli.signals import stop_on_signal
from newsletter.desk import Desk, Details, Named, ReceiptShown
from newsletter.errors import NewsletterError
from newsletter.learn.progress import Timeline
from newsletter.learn.words import explained
from newsletter.model.delivery import DeliveryState
from newsletter.model.issue import Issue, IssueState
from newsletter.model.tracking import LinkLine, Readings

EVERY_S: Final = 0.5
SHARE: Final = 10  #: looking takes at most this part of the time
_BLOCKS: Final = " ▁▂▃▄▅▆▇█"
UNSURE: Final = (
    "These are loads and clicks, not people, and only from the mail's HTML. Opens are unreliable: many mail "
    "programs load no pictures, and Apple's, Gmail's and Yahoo's load them by themselves, read or not."
)
_UNDER_WAY: Final = frozenset({IssueState.APPROVED, IssueState.SENDING})


class Choice(StrEnum):
    HOLD = "hold"
    RESEND = "resend"


class Told(StrEnum):
    """Who is named one by one."""

    UNKNOWN = "unknown"
    FAILED = "failed"
    RETRY_WAIT = "retry_wait"
    SKIPPED = "skipped"


def add_to(issues: typer.Typer) -> None:
    issues.command("send")(send_issue)
    issues.command("pause")(pause_issue)
    issues.command("resume")(resume_issue)
    issues.command("cancel")(cancel_issue)
    issues.command("receipt")(receipt)
    issues.command("settle")(settle)
    issues.command("retry")(retry)


def send_issue(issue_id: Id, as_json: AsJson = False) -> None:
    """Send an approved issue now, in the foreground."""
    with wiring.build() as house:
        stop, said = stop_on_signal(), set[str]()

        def told(why: str) -> None:
            if why not in said:  # once, not with every try
                err.print(f"It waits: {why}", style="yellow", markup=False)
                said.add(why)

        with _watching(house.desk, issue_id):
            house.desk.send_issue(issue_id, stop=stop, told=told)
        shown = house.desk.receipt(issue_id)
    if as_json:
        show_json({**_numbers(shown), "state": shown.issue.state, "problem": shown.issue.problem})
    else:
        _show_numbers(shown)
    if shown.issue.state is IssueState.PAUSED:
        err.print(f"Issue {issue_id} is paused: {shown.issue.problem}", style="yellow", markup=False)
        raise typer.Exit(1)


def pause_issue(issue_id: Id) -> None:
    """Stop sending for now; what is in flight is finished."""
    with wiring.build() as house:
        house.desk.pause_issue(issue_id)
    say(f"Issue {issue_id} is paused. Go on with: newsletter issues resume {issue_id}")


def resume_issue(issue_id: Id) -> None:
    """Go on sending a paused issue."""
    with wiring.build() as house:
        house.desk.resume_issue(issue_id)
    say(f"Issue {issue_id} goes on at the next turn, or now with: newsletter issues send {issue_id}")


def cancel_issue(issue_id: Id) -> None:
    """Never send it; what was sent stays sent."""
    with wiring.build() as house:
        house.desk.cancel_issue(issue_id)
    say(f"Issue {issue_id} is cancelled.")


def receipt(
    issue_id: Id,
    state: Annotated[Told | None, typer.Option(help="Name only those in this state.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Watch until nothing is being sent.")] = False,
    limit: Limit = 50,
    after: After = 0,
    as_json: AsJson = False,
) -> None:
    """The account: accepted, failed, skipped, unknown and remaining add up to the recipients."""
    with wiring.build() as house:
        if follow:
            _follow(house.desk, issue_id, stop_on_signal())
        shown = house.desk.receipt(issue_id)
        details = house.desk.receipt_details(issue_id)
        states = [DeliveryState[told.name] for told in Told if state in (None, told)]
        named = house.desk.named(issue_id, states, limit=limit + 1, after=after)
    more = len(named) > limit
    named = named[:limit]
    if as_json:
        return show_json(
            {
                **_numbers(shown),
                **_read(shown.readings),
                "state": shown.issue.state,
                "problem": shown.issue.problem,
                "seconds_left": shown.seconds_left,
                "rate_used_up_until": shown.full_until,
                "timeline": {"step_s": shown.timeline.step.total_seconds(), "bars": shown.timeline.bars},
                "domains": details.domains,
                "troubles": details.troubles,
                "named": [_named(one) for one in named],
                "next": named[-1].delivery.subscriber_id if more else None,
            }
        )
    say(_standing(shown.issue))
    if shown.issue.started_at is None:
        return None
    _show_numbers(shown)
    _show_timeline(shown.timeline)
    _show_details(details)
    _show_readings(shown)
    if named:
        say("")
        show_table(
            ["id", "address, and why", "state", "code"],
            [
                (
                    one.delivery.subscriber_id,
                    over(one.address or "erased", one.delivery.reason),
                    one.delivery.state,
                    one.delivery.code,
                )
                for one in named
            ],
            empty="",
        )
    if more:
        say(f"Further: newsletter issues receipt {issue_id} --after {named[-1].delivery.subscriber_id}")


def settle(
    issue_id: Id,
    unknown: Annotated[Choice, typer.Option("--unknown", help="hold: leave them; resend: send again.")],
) -> None:
    """Decide what happens to those who may or may not have received it."""
    with wiring.build() as house:
        count = house.desk.settle_unknown(issue_id, resend=unknown is Choice.RESEND)
    if not count and unknown is Choice.RESEND:
        say("Nobody is unknown: nothing is sent again.")
    elif unknown is Choice.HOLD:
        say(f"{count} stay as they are: they may or may not have received it.")
    else:
        say(f"{count} are sent again; some may receive it twice.")


def retry(issue_id: Id) -> None:
    """Send again to those whose delivery failed."""
    with wiring.build() as house:
        count = house.desk.retry_failed(issue_id)
    say(f"{count} are tried again." if count else "None failed.")


# What is shown while it is sent


@contextmanager
def _watching(desk: Desk, issue_id: int) -> Iterator[None]:
    """A bar that follows the account in a thread of its own, while the block sends."""
    done = threading.Event()
    with _bar() as show:

        def watch() -> None:
            with suppress(NewsletterError):  # whatever is wrong is told by who sends
                _watch(desk, issue_id, show, done)

        thread = threading.Thread(target=watch, name="watch", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def _follow(desk: Desk, issue_id: int, stop: threading.Event) -> None:
    """Looks until nothing is being sent any more, or it is asked to stop."""
    with _bar() as show:
        _watch(desk, issue_id, show, stop, until=lambda shown: shown.issue.state not in _UNDER_WAY)


def _watch(
    desk: Desk,
    issue_id: int,
    show: Callable[[ReceiptShown], None],
    stop: threading.Event,
    until: Callable[[ReceiptShown], bool] = lambda _shown: False,
) -> None:
    wait_s = 0.0
    while not stop.wait(wait_s):
        began = time.monotonic()
        shown = desk.receipt(issue_id)
        show(shown)
        if until(shown):
            return
        wait_s = max(EVERY_S, SHARE * (time.monotonic() - began))


@contextmanager
def _bar() -> Iterator[Callable[[ReceiptShown], None]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[said]}", style="dim"),
    )
    with progress(*columns) as shown_bar:
        bar = shown_bar.add_task("Sending", total=None, said="")

        def show(shown: ReceiptShown) -> None:
            one = shown.receipt
            beside = [
                f"{number:,} {word}"
                for number, word in (
                    (one.failed, "failed"),
                    (one.unknown, "unknown"),
                    (one.waiting, "waiting"),
                )
                if number
            ]
            left = [f"about {_lasting(shown.seconds_left)} to go"] if shown.seconds_left is not None else []
            if shown.full_until:
                left.append(f"rate used up until {cell(shown.full_until)}")
            shown_bar.update(
                bar, total=one.audience or None, completed=one.settled, said=" · ".join([*left, *beside])
            )

        yield show


def _lasting(seconds: float) -> str:
    for length, word in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.0f} {word}"
    return f"{seconds:.0f} s"


# The account in words and numbers


def _read(readings: Readings | None) -> dict[str, Any]:
    """Opens, clicks and each link; null where they are not counted."""
    if readings is None:
        return {"opens": None, "clicks": None, "links": None, "readers": None}

    def counted(line: LinkLine) -> dict[str, int]:
        return {"people": line.people, "machines": line.machines}

    return {
        "opens": counted(readings.opens),
        "clicks": counted(readings.clicks),
        "links": [{"url": line.url, **counted(line)} for line in readings.links],
        "readers": readings.readers,
    }


def _standing(issue: Issue) -> str:
    """How far the issue has come, in a sentence."""
    begun, ended = cell(issue.started_at), cell(issue.finished_at)
    goes = f"goes {cell(issue.send_at) or 'now'}: its recipients are drawn when sending starts"
    return (
        f"Issue {issue.id} "
        + {
            IssueState.DRAFT: "is a draft: nobody receives it before you approve it.",
            IssueState.APPROVED: f"is approved and {goes}.",
            IssueState.SENDING: f"is being sent, since {begun}.",
            IssueState.PAUSED: f"is paused. {issue.problem}".rstrip(),
            IssueState.FINISHED: f"was sent from {begun} to {ended}.",
            IssueState.CANCELLED: "is cancelled.",
        }[issue.state]
    )


def _numbers(shown: ReceiptShown) -> dict[str, int]:
    one = shown.receipt
    return {
        "audience": one.audience,
        "accepted": one.accepted,
        "failed": one.failed,
        "skipped": one.skipped,
        "unknown": one.unknown,
        "remaining": one.remaining,
        "delivered": one.delivered,
        "bounced": one.bounced,
        "complained": one.complained,
        "unsubscribed": one.unsubscribed,
    }


def _named(one: Named) -> dict[str, Any]:
    delivery = one.delivery
    retry_at: datetime | None = delivery.retry_at if delivery.state is DeliveryState.RETRY_WAIT else None
    return {
        "subscriber_id": delivery.subscriber_id,
        "address": one.address,
        "state": delivery.state,
        "code": delivery.code,
        "reason": delivery.reason,
        "retry_at": retry_at,
    }


def _show_numbers(shown: ReceiptShown) -> None:
    words = {"audience": "recipients", "unknown": "may or may not have arrived"}
    rows = [(words.get(name, name), number) for name, number in _numbers(shown).items()]
    show_pairs([(name, f"{number:,}") for name, number in rows[:6]])
    beside = [f"{number:,} {name}" for name, number in rows[6:] if number]
    if beside:
        say("of those accepted: " + ", ".join(beside))
    if shown.full_until:
        said = f"The sending rate ({shown.rate}) is used up until {cell(shown.full_until)}"
        left = f"about {_lasting(shown.seconds_left)} to go" if shown.seconds_left is not None else ""
        say(f"{said}; {left}." if left else f"{said}.")
    if shown.receipt.waiting and shown.next_try_at:
        first = shown.next_try_at.astimezone()
        say(f"{shown.receipt.waiting:,} wait for another try, the first at {first:%Y-%m-%d %H:%M}.")


def _show_readings(shown: ReceiptShown) -> None:
    """Side by side: what programs did is never taken for what people did."""
    readings = shown.readings
    say("")
    if readings is None:
        return say("Opens and clicks are not counted (TRACKING is off, or was when it was composed).")
    delivered = shown.receipt.delivered
    arrived = f"{delivered:,} of them known to have arrived" if delivered else "how many arrived was not told"
    say(f"{shown.receipt.accepted:,} handed over, {arrived}.")
    rows = [
        ("opens: the picture was loaded", readings.opens),
        ("clicks: a link was followed", readings.clicks),
        *((f"  {line.url}", line) for line in readings.links),
    ]
    show_table(
        ["", "as by people", "by programs"],
        [(what, f"{line.people:,}", f"{line.machines:,}") for what, line in rows],
        empty="",
    )
    if known := readings.readers:
        say(
            f"Of the {known.agreed:,} who agreed to be known, {known.opened:,} opened it and "
            f"{known.clicked:,} followed a link."
        )
    say(UNSURE)


def _show_timeline(line: Timeline) -> None:
    if len(line.bars) < 2:
        return
    most = line.most
    drawn = "".join(_BLOCKS[-(-bar.total * (len(_BLOCKS) - 1) // most)] for bar in line.bars)
    first = line.bars[0].at.astimezone()
    last = (line.bars[-1].at + line.step).astimezone()
    say("")
    busiest = f"at most {most:,} in {_lasting(line.step.total_seconds())}"
    say(f"{first:%H:%M:%S} {drawn} {last:%H:%M:%S}  ({busiest})")


def _show_details(details: Details) -> None:
    if details.troubles:
        say("")
        show_table(
            ["count", "state", "what stood in the way", "code"],
            [(one.count, one.state, explained(one.code) or one.reason, one.code) for one in details.troubles],
            empty="",
        )
    if len(details.domains) > 1:
        say("")
        show_table(
            ["domain", "recipients", "accepted", "failed", "skipped", "unknown", "remaining", "bounced"],
            [
                (
                    line.domain or "all others",
                    line.audience,
                    line.accepted,
                    line.failed,
                    line.skipped,
                    line.unknown,
                    line.remaining,
                    line.bounced,
                )
                for line in details.domains
            ],
            empty="",
        )
