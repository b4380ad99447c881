"""The whole pipeline on the sample blog, told as a short story."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rich.console import Console

from newsletter import wiring
from newsletter.demo.blog_server import SampleBlog
from newsletter.demo.mailbox import SampleMailbox
from newsletter.keys import new_secret
from newsletter.model.issue import Issue
from newsletter.serving import listen, serve
from newsletter.wiring import House

SUBSCRIBERS: Final = (
    ("Ines Duarte", "ines@mailbox.example"),
    ("Jonas Weber", "jonas@mailbox.example"),
    ("Amina Khalil", "amina@mailbox.example"),
)

Say = Callable[[str], None]


def tell(*, once: bool, folder: Path | None, port: int) -> None:
    """Runs the demonstration in ``folder`` (a new one where None), on loopback only.

    ``once`` approves, sends and returns; else it serves until it is interrupted.
    """
    home = (folder or Path(tempfile.mkdtemp(prefix="newsletter-demo-"))).absolute()
    home.mkdir(parents=True, exist_ok=True)
    console = Console(highlight=False, soft_wrap=True)
    listener = listen("127.0.0.1", port, or_free=True)
    with listener, SampleBlog(port=0) as blog, SampleMailbox(home / "mailbox") as box:
        fixed = _begin(home, listener.getsockname()[1], "warning" if once else "error")
        wiring.prepare(fixed)
        with wiring.build(fixed) as house:
            _set_up(house, box.smtp_url)
            console.print(f"[bold]A blog[/] is served at {blog.url}")
            console.print(f"[bold]A mailbox[/] takes every mail and shows it at {box.url}")
            issue = _first_draft(house, blog.feed_url, console.print)
            if once:
                _send(house, issue, console.print)
                console.print(f"The mail lies in {home / 'mailbox'}, one .eml file for each.", markup=False)
                console.print(
                    f"Its links to the newsletter's own pages open while this runs: {_command(home, 'run')}\n"
                    "Those to the sample blog lead nowhere any more: it has ended with the demonstration.",
                    style="dim",
                    markup=False,
                )
                return
            console.print("\nThe draft waits in the studio. This link lets you in, once:")
            console.print(f"\n    [bold]{house.desk.login_link()}[/]\n")
            login = _command(home, "login")
            console.print(f"For another link, in another terminal: {login}", style="dim", markup=False)
            console.print(f"Everything is in {home}; stop with Ctrl-C.", style="dim", markup=False)
            serve(house, listener, login=login)


def _command(home: Path, verb: str) -> str:
    """What to type for a command over the demonstration, wherever one is and whatever is on PATH."""
    program = Path(sys.executable).with_name("newsletter")
    return f"cd {shlex.quote(str(home))} && {shlex.quote(str(program))} {verb}"


def _begin(home: Path, port: int, log: str) -> dict[str, str]:
    """What must be known before the database is open; also written as ``.env``, so that the command line
    works in that folder."""
    fixed = {
        "secret_key": new_secret(),
        "database_url": f"sqlite:///{home / 'newsletter.db'}",
        "data_dir": str(home),
        "port": str(port),
        "log": log,
    }
    descriptor = os.open(home / ".env", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.writelines(f"NEWSLETTER_{name.upper()}={value}\n" for name, value in fixed.items())
    return fixed


def _set_up(house: House, smtp_url: str) -> None:
    for name, value in {
        "FROM": "Marian Holt <marian@notebook.example>",
        "DISCLAIMER": "I am not a doctor. Please talk with your own physician before you change anything.",
        "POSTAL_ADDRESS": "Marian Holt, PO Box 117, 4820 Little Harbour",
        "TRANSPORT": "smtp",
        "SMTP_URL": smtp_url,
        "RATE": "unlimited",
        "FIRST_POLL": "newest",
        "SETTLE": "0",
        "ALLOW_PRIVATE_ADDRESSES": "true",
    }.items():
        house.desk.set_setting(name, value)


def _first_draft(house: House, feed_url: str, say: Say) -> Issue:
    desk = house.desk
    for name, address in SUBSCRIBERS:
        desk.add_subscriber(address, name=name)
    say(f"{len(SUBSCRIBERS)} subscribers are on the list.")
    feed = desk.add_feed(feed_url)
    polled = desk.poll(feed.id)[0]
    feed = desk.feed(feed.id).feed
    say(
        f"The blog “{feed.title}” was looked at: {polled.baseline} older posts stay where they are, "
        f"the newest one is offered."
    )
    house.turn()
    shown = desk.issues()[0]
    say(f"[bold]A draft[/] was made of it: “{shown.issue.subject}”, {shown.size / 1024:.0f} KB, checked.")
    say(f"The author was told by mail to {house.settings().author_address}.")
    return shown.issue


def _send(house: House, issue: Issue, say: Say) -> None:
    desk = house.desk
    desk.approve_issue(issue.id)
    say("[bold]Approved[/] and sent by SMTP, as the author would.")
    receipt = desk.send_issue(issue.id)
    say(
        f"[bold]The receipt:[/] {receipt.audience} recipients = {receipt.accepted} accepted + "
        f"{receipt.failed} failed + {receipt.skipped} skipped + {receipt.unknown} unknown + "
        f"{receipt.remaining} remaining."
    )
