"""Setting up and running: init, run, login, tick, demo, doctor, worker."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from newsletter import wiring
from newsletter.cli.output import AsJson, cell, err, over, say, show_json, show_table, writing
from newsletter.cli.signals import stop_on_signal
from newsletter.desk import Desk
from newsletter.errors import ConfigError, Invalid
from newsletter.keys import new_secret
from newsletter.model.checklist import Level
from newsletter.model.feed import FeedState
from newsletter.model.post import PostState
from newsletter.pipeline import Budget

NAMED: Final = 5  #: posts that a turn names as waiting, at the most


def init() -> None:
    """Write .env (secret key, database) and the database here; safe to repeat."""
    path = Path(".env")
    written = not path.exists()
    if not written:
        say(f"{path} is there already and stays as it is.")
    else:
        with writing(path.absolute()), os.fdopen(_new_secret_file(path), "w") as file:
            file.write(
                "# What must be known before the database is open. Keep this file secret.\n"
                f"NEWSLETTER_SECRET_KEY={new_secret()}\n"
                "NEWSLETTER_DATABASE_URL=sqlite:///newsletter.db\n"
            )
        say(f"Wrote {path} with a fresh secret key.")
    changed = wiring.prepare()
    say("The database is ready." if changed else "The database is up to date.")
    if written and not changed:
        say("It was there before this .env: put its former secret key behind the new one and a comma, or the "
            "passwords that it keeps, and the links in mail already sent, are lost.")  # fmt: skip
    say("Next: newsletter run, then open the link that it prints.")


def _new_secret_file(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)


def run(
    host: Annotated[str | None, typer.Option(help="Listen here instead of HOST.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Listen here instead of PORT.")] = None,
) -> None:
    """Web and scheduler in one process."""
    from newsletter.serving import listen, serve  # the web server: no other command waits for it

    fixed = wiring.environment()
    fixed |= {"host": host} if host else {}
    fixed |= {"port": str(port)} if port is not None else {}
    fixed.setdefault("log", "info")
    with wiring.build(fixed) as house:
        settings = house.settings()
        listener = listen(settings.host, settings.port)
        say(f"The studio: {settings.public_url}/studio/")
        say(f"Enter with this link, once: {house.desk.login_link()}")
        serve(house, listener)


def worker() -> None:
    """A cluster worker (PostgreSQL): does what is due, beside any number of others. Serves no pages."""
    from newsletter.serving import work

    fixed = wiring.environment()
    fixed.setdefault("log", "info")
    with wiring.build(fixed) as house:
        stop = stop_on_signal()
        say("Working. SIGTERM lets it finish what is being handed over.")
        work(house, stop)


def login(
    forget_password: Annotated[
        bool,
        typer.Option("--forget-password", help="End every session; the link lets you choose another one."),
    ] = False,
) -> None:
    """Print a fresh one-time link to the studio."""
    with wiring.build() as house:
        if forget_password:
            house.desk.doors.forget_password()
        say(house.desk.login_link())


def tick(as_json: AsJson = False) -> None:
    """One turn of the pipeline, then exit (for cron)."""
    with wiring.build() as house:
        turned = house.turn(budget=Budget(stop=stop_on_signal()))
        coming = _coming(house.desk)
    if as_json:
        show_json(turned)
    else:
        for step in turned.steps:
            if step.summary:
                say(f"{step.name}: {step.summary}")
        for problem in turned.problems:
            err.print(problem, style="yellow", markup=False)
        if not any(step.summary for step in turned.steps) and not turned.problems:
            say("Nothing was due.")
        for sentence in coming:
            say(sentence)
    if any(step.failed for step in turned.steps):
        raise typer.Exit(1)


def _coming(desk: Desk) -> list[str]:
    """What a later turn will do, and when."""
    settling = desk.posts(state=PostState.SETTLING, limit=NAMED + 1)
    said = [
        f"“{post.title or post.url}” waits for your corrections until {cell(post.settle_until)}."
        for post in settling[:NAMED]
    ]
    if len(settling) > NAMED:
        said.append("More posts wait too: newsletter posts list --state settling")
    looks = [
        (feed.next_poll_at, feed.title or feed.url)
        for feed in desk.feeds()
        if feed.state is FeedState.ACTIVE and feed.next_poll_at
    ]
    if looks:
        at, title = min(looks)
        said.append(f"The next look at “{title}” is due at {cell(at)}.")
    else:
        said.append("No feed is watched. Add one with: newsletter feeds add URL")
    return said


def doctor(
    accept_database: Annotated[
        bool, typer.Option("--accept-database", help="A restored database is the right one: send on.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check settings, DNS, sending, disk, database."""
    with wiring.build() as house:
        if accept_database:
            house.desk.accept_database()
        lines = house.desk.doctor()
    blocking = [line for line in lines if line.level is Level.BLOCKING]
    if as_json:
        show_json(lines)
    else:
        marks = {Level.GOOD: "ok", Level.ADVICE: "note", Level.BLOCKING: "problem"}
        show_table(
            ["", "what", "found, and what to do"],
            [(marks[line.level], line.code, over(line.text, line.mend)) for line in lines],
            empty="Nothing to check.",
        )
    if blocking:
        raise typer.Exit(1)


def backup(
    file: Annotated[Path, typer.Argument(help="Where to; an older one there is replaced.")],
) -> None:
    """Copy the database to FILE while it is in use, and check the copy (SQLite)."""
    if not file.name:  # "", "." or "/"
        raise Invalid(f"{file} is a folder.", hint="Give the file that the copy goes to.")
    size = wiring.take_backup(file)
    say(f"Wrote {file}: {size / 1_000_000:,.1f} MB, checked.")
    say("Keep .env with it: without its secret key no link in an old email works.")


def restore(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)],
    drill: Annotated[
        bool, typer.Option("--drill", help="Only prove that it could be restored; change nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    accept_loss: Annotated[
        bool,
        typer.Option(
            "--accept-loss", help="The database that is here is damaged: go on without who left since."
        ),
    ] = False,
) -> None:
    """Put a backup in the place of the database (SQLite); who was erased since stays erased."""
    if not drill and not yes and not typer.confirm("The database is replaced by the backup. Go on?"):
        raise typer.Exit(1)
    done = wiring.restore_backup(file, drill=drill, accept_loss=accept_loss)
    say(f"{done.subscribers:,} subscribers; {'it can be restored.' if drill else 'the backup is in place.'}")
    if done.erased_again:
        say(
            f"{done.erased_again:,} who were erased since are erased again; the backup file still has them: "
            "delete it and take a new one."
        )
    if done.carried_over:
        say(f"{done.carried_over:,} who left or bounced since stay off the list.")
    if done.lost:
        say("The database that was here is damaged: not everybody who left since is known any more.")
    if done.kept:
        say(f"The database that was here is kept as {done.kept}; delete it once all is well.")
    if not drill:
        say("Sending may wait for you: look which issues went out since, then: newsletter doctor")


def demo(
    once: Annotated[bool, typer.Option("--once", help="Send by itself, print the receipt and exit.")] = False,
    folder: Annotated[Path | None, typer.Option(help="Where to keep it, instead of a new folder.")] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The studio's port; a free one where it is taken.")
    ] = 8000,
) -> None:
    """The whole pipeline on a bundled sample blog, in a throw-away folder."""
    from newsletter.demo.story import tell

    if folder is not None and folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"The folder {folder} is not empty.", hint="Give a new one, or none.")
    if folder is not None:
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
    tell(once=once, folder=folder, port=port)
