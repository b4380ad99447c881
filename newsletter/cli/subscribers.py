"""newsletter subscribers and settings."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from newsletter import wiring
from newsletter.cli.output import (
    After,
    AsJson,
    Limit,
    check_free,
    over,
    progress,
    say,
    show_json,
    show_pairs,
    show_table,
    writing,
)
from newsletter.desk.list import FORMS
from subscribers.addresses import normalise, suggestion
from subscribers.batches import Imported
from subscribers.exports import defused
from subscribers.imports import How, ImportedRow
from subscribers.model import SubscriberState

subscribers = typer.Typer(no_args_is_help=True, help="Who receives the newsletter.")
settings = typer.Typer(no_args_is_help=True, help="How the newsletter is set up.")
Address = Annotated[str, typer.Argument(metavar="ADDRESS")]


@subscribers.command("add")
def add(address: Address, name: Annotated[str, typer.Option(help="Their name.")] = "") -> None:
    """Add somebody who asked you for it."""
    with wiring.build() as house:
        added = house.desk.add_subscriber(address, name=name)
    assert added.subscriber is not None
    say(f"Subscriber {added.subscriber.id} {'is added' if added.created else 'was on the list already'}.")
    if added.created and (meant := suggestion(normalise(address))):
        say(f"Perhaps {meant} is meant: look at it.")


@subscribers.command("list")
def list_subscribers(
    state: Annotated[SubscriberState | None, typer.Option(help="Only those in this state.")] = None,
    text: Annotated[str, typer.Option("--search", help="Part of an address or name.")] = "",
    limit: Limit = 50,
    after: After = 0,
    as_json: AsJson = False,
) -> None:
    """Subscribers by id."""
    with wiring.build() as house:
        found = house.desk.subscribers(state=state, text=text, limit=limit, after=after)
        counts = house.desk.subscriber_counts()
    if as_json:
        return show_json([{"id": s.id, "address": s.address, "state": s.state} for s in found])
    show_table(
        ["id", "address", "name", "state", "since"],
        [(s.id, s.address, s.name, s.state, s.joined_at) for s in found],
        empty="Nobody yet. Add one with: newsletter subscribers add ADDRESS",
    )
    if counts:
        say("")
        say(", ".join(f"{count:,} {state.value}" for state, count in counts.items() if count))


@subscribers.command("show")
def show(address: Address, as_json: AsJson = False) -> None:
    """One subscriber, with the proof of consent."""
    with wiring.build() as house:
        shown = house.desk.subscriber(address)
    if as_json:
        return show_json(shown)
    person = shown.subscriber
    show_pairs(
        [
            ("id", person.id),
            ("address", person.address),
            ("name", person.name),
            ("state", person.state),
            ("how often", person.cadence or "as the newsletter"),
            ("topics refused", ", ".join(person.topics_off)),
            ("paused until", person.paused_until),
            ("since", person.joined_at),
            ("never mail", ", ".join(s.cause.value for s in shown.suppressions)),
        ]
    )
    say("")
    show_table(
        ["when", "proof of consent", "from"],
        [(c.at, c.kind, c.source) for c in shown.consents],
        empty="No proof of consent is recorded.",
    )


@subscribers.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would happen; change nothing.")
    ] = False,
    ask: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=100_000,
            help="Ask people without proof of consent to confirm, so many a day; 0 mails them unasked. "
            "By default 50 where nobody joined the list for a year, else 0.",
        ),
    ] = None,
    never_mail: Annotated[
        bool, typer.Option("--never-mail", help="Everybody in the file is to be kept out.")
    ] = False,
    rows: Annotated[
        Path | None, typer.Option(help="Write what happens to each row to this CSV file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring addresses from a CSV or ZIP file; who unsubscribed or bounced elsewhere stays out."""
    how = How(ask_per_day=ask, never_mail=never_mail)
    with ExitStack() as opened:
        house = opened.enter_context(wiring.build())
        each = opened.enter_context(_fates(check_free(rows, file))) if rows else None
        bar = opened.enter_context(progress())
        task = bar.add_task("Reading", total=None)
        report = house.desk.import_subscribers(
            file.read_bytes(),
            source=file.name,
            dry_run=dry_run,
            how=how,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
            each=each,
        )
    if as_json:
        return show_json(report)
    show_table(
        ["line", "what", "address, and why"],
        [(row.line, row.outcome, over(row.address, row.reason)) for row in report.told],
        empty="Every row is fine.",
    )
    if report.hidden:
        say(f"And {report.hidden:,} more; --rows FILE writes them all.")
    say("")
    say(f"Read as {report.guessed}; {', '.join(report.columns)}.")
    say(report.sentence)
    if report.asking:
        say(report.asking)
    if report.batch_id:
        say(f"Take it back with: newsletter subscribers undo {report.batch_id}")


@contextmanager
def _fates(file: Path) -> Iterator[Callable[[ImportedRow], None]]:
    """Writes a row of CSV for each row of an import."""
    with writing(file), file.open("w", encoding="utf-8", newline="") as target:
        file.chmod(0o600)
        sheet = csv.writer(target)
        sheet.writerow(["file", "line", "address", "what", "because"])

        def write(row: ImportedRow) -> None:
            sheet.writerow([row.file, row.line, defused(row.address), row.outcome.value, defused(row.reason)])

        yield write


@subscribers.command("imports")
def list_imports(as_json: AsJson = False) -> None:
    """The imports so far, and how far their people have been asked to confirm."""
    with wiring.build() as house:
        found = house.desk.imports()
    if as_json:
        return show_json(found)
    show_table(
        ["id", "when", "file", "added", "changed", "kept out", "asked"],
        [
            (one.id, one.at, one.source, one.created, one.changed, one.suppressed, _asked(one))
            for one in found
        ],
        empty="Nothing was imported yet.",
    )


def _asked(one: Imported) -> str:
    if one.undone_at is not None:
        return "taken back"
    if one.asking is None:
        return ""
    told = f"{one.asking.asked} of {one.asking.asked + one.asking.waiting}"
    return f"{told}, stopped: {one.asking.stopped}" if one.asking.stopped else told


@subscribers.command("export")
def export_file(
    file: Annotated[Path, typer.Argument(help="Where to; - for standard output.")],
    form: Annotated[str, typer.Option(help=f"Whose form: {', '.join(FORMS)}.")] = "own",
) -> None:
    """Write every subscriber as CSV, in our own form, which comes back without loss, or another's."""
    with wiring.build() as house:
        pieces = house.desk.export_subscribers(form)
        if str(file) == "-":
            for piece in pieces:
                sys.stdout.buffer.write(piece)
            return
        with writing(check_free(file)), file.open("wb") as target:
            file.chmod(0o600)
            for piece in pieces:
                target.write(piece)
        counts = house.desk.subscriber_counts()
    count = sum(n for state, n in counts.items() if state is not SubscriberState.ERASED)
    say(f"Wrote {count:,} subscribers to {file}.")


@subscribers.command("suppress")
def suppress(address: Address) -> None:
    """Never mail this address, whoever asks for it."""
    with wiring.build() as house:
        house.desk.suppress(address)
    say("This address is never mailed.")


@subscribers.command("unsuppress")
def unsuppress(address: Address) -> None:
    """Take back a complaint or your own suppression; only their own sign-up lifts anything else."""
    with wiring.build() as house:
        house.desk.unsuppress(address)
    say("It is lifted. Whoever agreed and is on the list gets the next issue.")


@subscribers.command("erase")
def erase(
    address: Address,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Forget everything about somebody; it cannot be undone."""
    with wiring.build() as house:
        person = house.desk.subscriber(address).subscriber
        if not yes and not typer.confirm(f"Everything about {person.address} is forgotten for good. Go on?"):
            raise typer.Exit(1)
        house.desk.erase(person.id)
    say("They are forgotten: in the database, its log and the outbox folder.")
    say(
        "What your mail provider, their mailbox and older backups hold about them, they still hold: delete "
        "the address at the provider (its activity and suppression lists) and old backups."
    )


@settings.command("list")
def list_settings(as_json: AsJson = False) -> None:
    """Every setting, its value and where that comes from."""
    with wiring.build() as house:
        found = house.desk.settings()
    if as_json:
        return show_json(found)
    show_table(
        ["setting, and what it is", "value", "from"],
        [(over(s.name, s.help), s.value, s.source) for s in found],
        empty="",
    )


@settings.command("get")
def get_setting(name: str) -> None:
    """One setting's value; a secret is never shown."""
    with wiring.build() as house:
        sys.stdout.write(house.desk.setting(name).value + "\n")


@settings.command("set")
def set_setting(name: str, value: str) -> None:
    """Change one setting; an empty value brings the default back."""
    with wiring.build() as house:
        shown = house.desk.set_setting(name, value)
    say(f"{shown.name} is {shown.value or 'empty'}.")
    if shown.name in {"FROM", "POSTAL_ADDRESS"} and not shown.value:
        say("Nothing can be sent until it is set.")
