"""The command line: one command per verb, exit 0 done, 1 a problem in one sentence, 2 wrong use."""

from __future__ import annotations

import json
import sys
from typing import NoReturn

import typer

from newsletter import __version__
from newsletter.cli import feeds as feed_commands
from newsletter.cli import many, setup
from newsletter.cli import sending as sending_commands
from newsletter.cli.issues import issues
from newsletter.cli.output import err, of_the_system
from newsletter.cli.segments import segments
from newsletter.cli.subscribers import settings, subscribers
from newsletter.errors import Invalid, NewsletterError
from newsletter.garbage import look_seldom
from newsletter.logs import quiet_library_logs
from subscribers.errors import SubscribersError

app = typer.Typer(
    name="newsletter",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="A blog's feed becomes a newsletter: noticed, composed, approved, delivered once, accounted for.",
)


@app.callback(invoke_without_command=True)
def _version(
    version: bool = typer.Option(False, "--version", help="Print the version.", is_eager=True),
) -> None:
    if version:
        sys.stdout.write(f"newsletter {__version__}\n")
        raise typer.Exit


app.command()(setup.demo)
app.command()(setup.init)
app.command()(setup.run)
app.command()(setup.login)
app.command()(setup.tick)
app.add_typer(settings, name="settings")
app.add_typer(feed_commands.feeds, name="feeds")
app.command("poll")(feed_commands.poll)
app.add_typer(feed_commands.posts, name="posts")
sending_commands.add_to(issues)
app.add_typer(issues, name="issues")
many.add_to(subscribers)
subscribers.add_typer(segments, name="segments")
app.add_typer(subscribers, name="subscribers")
app.command()(setup.doctor)
app.command()(setup.backup)
app.command()(setup.restore)
app.command()(setup.worker)


def main() -> None:
    """The ``newsletter`` command."""
    quiet_library_logs()
    look_seldom()
    try:
        app()
    except (NewsletterError, SubscribersError) as error:
        _tell(error)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(0) from None
    except UnicodeEncodeError:  # what a terminal of another encoding sent: Python keeps it as half characters
        _tell(
            Invalid(
                "Something that was typed is no text in UTF-8.",
                hint="Set the terminal to UTF-8, and type it again.",
            )
        )
    except OSError as error:
        _tell(of_the_system(error))


def _tell(error: NewsletterError | SubscribersError) -> NoReturn:
    """One sentence and what to do, or the same as JSON; exit 1."""
    if "--json" in sys.argv:
        problem = {"code": error.code, "message": error.message, "hint": error.hint}
        sys.stdout.write(json.dumps({"error": problem}, ensure_ascii=False) + "\n")
    else:
        err.print(error.message, style="bold red", markup=False)
        if error.hint:
            err.print(error.hint, markup=False)
    raise SystemExit(1)
