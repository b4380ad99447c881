"""Several machines: procrastinate calls each step of the pipeline as a job of its own, on PostgreSQL.

Every worker asks for every step in a fixed rhythm; PostgreSQL lets one of them have each beat, so that a
step is queued once however many workers there are, and runs on whichever is free. A job carries nothing but
its step's name: what is due stands in our tables. A worker that dies leaves a job behind that nobody needs;
its leases run out, and the next beat finds the work (``recover`` in :mod:`newsletter.send.deliver`).
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import structlog
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import DeleteJobCondition, Status

from newsletter.engine.local import WAKES, Turn

EVERY: Final = {
    "learn": "* * * * * */5",
    "poll": "* * * * * */15",
    "detect": "* * * * * */5",
    "compose": "* * * * * */5",
    "start": "* * * * * */2",
    "import": "* * * * * */5",
    "send": "* * * * * */2",
    "clean": "0 * * * *",
}
"""How often each step is asked for. Where there are six fields the last is seconds."""

_STALLED: Final = "* * * * * */30"
_AGAIN_S: Final = 5.0  #: after the database was out of reach

log = structlog.get_logger(__name__)


class ClusterEngine:
    """One worker. ``stop`` waits for what is in flight. Thread-safe."""

    def __init__(self, turn: Turn, database_url: str) -> None:
        """``database_url`` is a libpq address; never connects."""
        self._turn = turn
        self._url = database_url
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._running: set[str] = set()
        self._again: set[str] = set()  # asked for while they ran here
        self._pool = ThreadPoolExecutor(len(EVERY) + 1, thread_name_prefix="step")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._app: App | None = None
        self._thread = threading.Thread(target=self._serve, name="worker")

    def start(self) -> None:
        self._thread.start()

    def wake(self, step: str) -> None:
        """Asks for a step at once, on whichever worker is free. Does nothing while out of reach."""
        loop, app = self._loop, self._app
        if loop is not None and app is not None and not self._stop.is_set():
            asyncio.run_coroutine_threadsafe(self._ask(app, step), loop)

    def stop(self) -> None:
        """Asks running steps to stop, waits for them, and takes no more jobs."""
        self._stop.set()
        loop, task = self._loop, self._task
        if loop is not None and task is not None and self._thread.is_alive():
            loop.call_soon_threadsafe(task.cancel)
        if self._thread.is_alive():
            self._thread.join()
        self._pool.shutdown(wait=True)

    def _serve(self) -> None:
        asyncio.run(self._until_stopped())

    async def _until_stopped(self) -> None:
        """Works; after an outage of the database, from the beginning."""
        self._loop = asyncio.get_running_loop()
        while not self._stop.is_set():
            self._task = asyncio.create_task(self._work())
            try:
                await self._task
            except asyncio.CancelledError:
                break
            except Exception as error:  # whatever ended it, work goes on when the database is back
                log.warning("the queue cannot be reached", error=type(error).__name__)
            await asyncio.get_running_loop().run_in_executor(None, self._stop.wait, _AGAIN_S)

    async def _work(self) -> None:
        app = self._make_app()
        async with app.open_async():
            self._app = app
            try:
                for step in EVERY:
                    await self._ask(app, step)
                await app.run_worker_async(
                    name=f"{socket.gethostname()}-{os.getpid()}",
                    concurrency=len(EVERY) + 1,
                    install_signal_handlers=False,
                    delete_jobs=DeleteJobCondition.ALWAYS,
                    fetch_job_polling_interval=2.0,
                )
            finally:
                self._app = None

    def _make_app(self) -> App:
        app = App(
            connector=PsycopgConnector(
                conninfo=self._url, min_size=1, max_size=4, kwargs={"application_name": "newsletter worker"}
            )
        )
        for step, cron in EVERY.items():
            self._register(app, step, cron)

        async def forget_stalled(timestamp: int) -> None:
            for job in await app.job_manager.get_stalled_jobs():
                await app.job_manager.finish_job(job, Status.FAILED, delete_job=True)

        stalled = app.task(name="forget stalled jobs", queueing_lock="forget stalled jobs")(forget_stalled)
        app.periodic(cron=_STALLED)(stalled)
        return app

    def _register(self, app: App, step: str, cron: str) -> None:
        async def run(timestamp: int = 0) -> None:
            did = await asyncio.get_running_loop().run_in_executor(self._pool, self._run, step)
            for other in WAKES.get(step, ()) if did else ():
                await self._ask(app, other)

        app.periodic(cron=cron)(app.task(name=step, queueing_lock=step)(run))

    async def _ask(self, app: App, step: str) -> None:
        task: Any = app.tasks[step]
        try:
            await task.defer_async()
        except AlreadyEnqueued:
            pass
        except ConnectorException as error:
            log.info("a step could not be asked for", step=step, error=type(error).__name__)

    def _run(self, step: str) -> bool:
        """One step, never twice at once in this process: once more where it was asked for meanwhile."""
        with self._lock:
            if step in self._running:
                self._again.add(step)
                return False
            self._running.add(step)
        did, more = False, True
        try:
            while more and not self._stop.is_set():
                did = self._turn(step, self._stop) or did
                with self._lock:
                    more = step in self._again
                    self._again.discard(step)
        finally:
            with self._lock:
                self._running.remove(step)
        return did
