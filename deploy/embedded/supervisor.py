"""The supervisor: starts processes, watches them, restarts them with backoff, and stops them in the reverse order."""

import asyncio
import contextlib
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.embedded.errors import SettingsRefused, StartFailed
from deploy.embedded.process import ProcessSpec, end, spawn, tail
from deploy.embedded.state import Identity, ProcessReport, ProcessState

FIRST_RESTART_SECONDS = 0.2
LONGEST_RESTART_SECONDS = 15.0
SETTLED_SECONDS = 30.0
"""A process that lived this long starts over with the shortest wait."""

STEADY_SECONDS = 5.0
"""How long a process has to be healthy before its start counts, unless it says earlier that it does its work."""

STARTING_PROBE_SECONDS = 0.05
PROBE_EVERY_SECONDS = 5.0
FAILED_PROBES_BEFORE_RESTART = 6
LOG_LIMIT_BYTES = 10_000_000


def restart_delay(*, failures: int) -> float:
    """Seconds to wait before the next start, after so many failures in a row."""
    return float(min(FIRST_RESTART_SECONDS * 2 ** max(0, failures - 1), LONGEST_RESTART_SECONDS))


@dataclass
class Child:
    """A process that is kept running, and what became of it."""

    spec: ProcessSpec
    log: Path
    mark: str
    changed: Callable[[], None]
    tell: Callable[[str], None] = lambda _: None
    process: asyncio.subprocess.Process | None = None
    identity: Identity | None = None
    state: ProcessState = "starting"
    restarts: int = 0
    failures: int = 0
    last_exit: int | None = None
    healthy: asyncio.Event = field(default_factory=asyncio.Event)
    healthy_since: float = 0.0

    def report(self) -> ProcessReport:
        return ProcessReport(
            name=self.spec.name,
            state=self.state,
            identity=self.identity,
            restarts=self.restarts,
            log=str(self.log),
            health_url=self.spec.health_url,
            last_exit=self.last_exit,
        )

    async def keep(self) -> None:
        """Run it again and again until cancelled, or until it ends with a code that no restart cures."""
        try:
            while True:
                started = time.monotonic()
                await self._run_once()
                if self.last_exit in self.spec.hopeless_exits:
                    self.tell(f"{self.spec.name} {_ended(self.last_exit)} and stays down; see {self.log}")
                    self._become("failed")
                    return
                self.failures = 1 if time.monotonic() - started > SETTLED_SECONDS else self.failures + 1
                delay = restart_delay(failures=self.failures)
                self.tell(f"{self.spec.name} {_ended(self.last_exit)}; it starts again in {delay:.1f} s")
                self._become("restarting")
                await asyncio.sleep(delay)
                self.restarts += 1
        finally:
            await asyncio.shield(self._end())

    async def _run_once(self) -> None:
        self.process = await spawn(self.spec, log=self.log, mark=self.mark)
        self.identity = Identity.of(self.process.pid)
        self._become("starting")
        watch = asyncio.create_task(self._watch())
        try:
            self.last_exit = await self.process.wait()
        finally:
            self.healthy.clear()
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch

    async def _watch(self) -> None:
        """Tell starting, healthy and unhealthy apart; one that stays unhealthy is ended, and so restarted."""
        deadline = time.monotonic() + self.spec.ready_seconds
        while not await self._probe():
            if time.monotonic() > deadline:
                await self._end()
            await asyncio.sleep(STARTING_PROBE_SECONDS)
        self._become("healthy")
        failed = 0
        while failed < FAILED_PROBES_BEFORE_RESTART:
            await asyncio.sleep(PROBE_EVERY_SECONDS)
            bound_log(self.log)
            failed = 0 if await self._probe() else failed + 1
            self._become("unhealthy" if failed else "healthy")
        await self._end()

    async def _probe(self) -> bool:
        return self.spec.probe is None or await self.spec.probe()

    async def _end(self) -> None:
        if self.process is not None:
            await end(self.process, self.spec)

    def _become(self, state: ProcessState) -> None:
        if state == "healthy":
            if not self.healthy.is_set():
                self.healthy_since = time.monotonic()
            self.healthy.set()
        elif state != "unhealthy":
            self.healthy.clear()
        if state != self.state or state == "starting":
            self.state = state
            self.changed()

    async def steady(self) -> bool:
        """Whether its start counts: it does its work and never ended, or has been healthy for a while."""
        if not self.healthy.is_set():
            return False
        if time.monotonic() - self.healthy_since >= STEADY_SECONDS:
            return True
        return self.restarts == 0 and (self.spec.ready is None or await self.spec.ready())

    def explain(self) -> str:
        """What to tell when it does not become healthy."""
        ended = "did not become healthy" if self.last_exit is None else _ended(self.last_exit)
        return f"{self.spec.name} {ended}; the end of {self.log}:\n{tail(self.log)}"


def _refusal(code: int | None, spec: ProcessSpec) -> type[StartFailed]:
    """What to raise of a process that ended with that code."""
    return SettingsRefused if code in spec.hopeless_exits else StartFailed


def _ended(code: int | None) -> str:
    return f"was ended by signal {-code}" if code is not None and code < 0 else f"ended with code {code}"


def bound_log(log: Path, *, limit: int = LOG_LIMIT_BYTES) -> None:
    """Empty a log that grew over its limit, keeping one older; it is appended to, so that this may be done under it."""
    if log.stat().st_size > limit:
        shutil.copyfile(log, log.with_suffix(".1.log"))
        with log.open("r+b") as file:
            file.truncate(0)


class Supervisor:
    """Keeps a stack's processes. `changed` is called when the report is another, `tell` with news for a person."""

    def __init__(
        self, *, logs: Path, mark: str, changed: Callable[[], None], tell: Callable[[str], None] = lambda _: None
    ) -> None:
        self._logs, self._mark, self._changed, self._tell = logs, mark, changed, tell
        self._children: dict[str, Child] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def reports(self) -> tuple[ProcessReport, ...]:
        """Every process, in the order of their adding."""
        return tuple(child.report() for child in self._children.values())

    def add(self, specs: Sequence[ProcessSpec]) -> None:
        """Keep these running from now on."""
        for spec in specs:
            child = Child(
                spec=spec,
                log=self._logs / f"{spec.name}.log",
                mark=self._mark,
                changed=self._changed,
                tell=self._tell,
            )
            self._children[spec.name] = child
            self._tasks[spec.name] = asyncio.create_task(child.keep(), name=spec.name)

    async def all_healthy(self, specs: Sequence[ProcessSpec]) -> None:
        """Wait until these are healthy together, and stay so; raises StartFailed with the end of the log of the first
        that is not: one that ends again and again does not pass for healthy by the moments in between.
        """
        children = [self._children[spec.name] for spec in specs]
        while True:
            waits = [asyncio.create_task(self._steady(child)) for child in children]
            try:
                await asyncio.gather(*waits)
            finally:
                for wait in waits:
                    wait.cancel()
            if all(child.healthy.is_set() for child in children):
                return

    async def _steady(self, child: Child) -> None:
        """Wait for one of them, as long as it may take and its supervision goes on."""
        given_up, steady = self._tasks[child.spec.name], False
        deadline = time.monotonic() + child.spec.ready_seconds
        while not (steady := await child.steady()) and not given_up.done() and time.monotonic() < deadline:
            await asyncio.wait({given_up}, timeout=STARTING_PROBE_SECONDS)
        if given_up.done() and not given_up.cancelled() and (error := given_up.exception()):
            raise StartFailed(f"{child.spec.name} could not be started: {error}") from error
        if not steady:
            raise _refusal(child.last_exit, child.spec)(child.explain())

    async def once(self, spec: ProcessSpec) -> None:
        """Run a job to its end; raises StartFailed where it does not end well."""
        log = self._logs / f"{spec.name}.log"
        process = await spawn(spec, log=log, mark=self._mark)
        try:
            async with asyncio.timeout(spec.ready_seconds):
                code = await process.wait()
        except TimeoutError:
            raise StartFailed(f"{spec.name} did not end within {spec.ready_seconds:.0f} s:\n{tail(log)}") from None
        finally:
            await end(process, spec)
        if code != 0:
            raise _refusal(code, spec)(f"{spec.name} ended with code {code}; the end of {log}:\n{tail(log)}")

    async def stop(self, names: Sequence[str]) -> None:
        """Stop these together and wait until they are gone."""
        tasks = [self._tasks[name] for name in names if name in self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for name in names:
            if child := self._children.get(name):
                child.state = "stopped"
        self._changed()
