"""The stack: the servers DropFix stands on and whatever else is to run beside them, in one data folder.

    async with EmbeddedStack(Path("data")) as stack:
        await stack.run([ProcessSpec(...), ...])       # services, kept running
        await stack.once(ProcessSpec(...))             # a job, run to its end
        stack.addresses.kafka, stack.addresses.database

On leaving, everything is stopped: what was added last first, the servers at the end. A folder that a killed
supervisor left is taken over: what still runs of it is stopped first, what it wrote is kept.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from deploy.embedded.artifacts import ensure_artifacts, read_pins
from deploy.embedded.broker import Broker
from deploy.embedded.database import DatabaseServer
from deploy.embedded.errors import StartFailed
from deploy.embedded.java import find_java
from deploy.embedded.places import DataDir, cache_dir
from deploy.embedded.ports import LOOPBACK, PortClaims, choose_ports
from deploy.embedded.process import ProcessSpec, http_probe
from deploy.embedded.state import Identity, StackReport, StackState, end_orphans, held, read_state, write_state
from deploy.embedded.supervisor import Supervisor

Tell = Callable[[str], None]
"""Called with a line for the person who waits."""


@dataclass(frozen=True, kw_only=True)
class Servers:
    """Which servers to start; one that is not started is somebody else's."""

    kafka: bool = True
    database: bool = True
    mail: bool = True


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Where the servers are; None where this stack has none. `database` is the administrator's and holds a password."""

    kafka: str | None = None
    database: str | None = None
    smtp: str | None = None
    mail: str | None = None


def _silent(_: str) -> None:
    """Nobody waits."""


class EmbeddedStack:
    """One stack in one data folder. `ports` names wanted ports by what they are for (kafka, postgres, smtp, mail)."""

    def __init__(
        self,
        data_dir: Path,
        *,
        servers: Servers | None = None,
        ports: Mapping[str, int] | None = None,
        cache: Path | None = None,
        tell: Tell = _silent,
    ) -> None:
        self.data = DataDir.prepare(data_dir)
        self.servers = servers or Servers()
        self._wanted = dict(ports or {})
        self._cache = cache or cache_dir()
        self._tell = tell
        self._state: StackState = "starting"
        self._identity = Identity.of(os.getpid())
        self._others: dict[str, str] = {}
        self._ports: dict[str, int] = {}
        self._earlier_ports: Mapping[str, int] = {}
        self._order: list[list[str]] = []
        self._held = False
        self._resources = contextlib.ExitStack()
        self._claims = PortClaims()
        self._supervisor = Supervisor(logs=self.data.logs, mark=str(self.data.root), changed=self._write, tell=tell)

    @property
    def addresses(self) -> Addresses:
        """Where the servers are, from the moment their ports are chosen."""
        ports = self._ports
        return Addresses(
            kafka=f"{LOOPBACK}:{ports['kafka']}" if self.servers.kafka else None,
            database=self._database().url() if self.servers.database else None,
            smtp=f"smtp://{LOOPBACK}:{ports['smtp']}" if self.servers.mail else None,
            mail=f"http://{LOOPBACK}:{ports['mail']}" if self.servers.mail else None,
        )

    async def __aenter__(self) -> "EmbeddedStack":
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start the servers and wait until they are healthy; raises an EmbeddedError that says what is missing."""
        self._resources.enter_context(held(self.data))
        self._held = True
        self._resources.enter_context(self._claims)
        before = read_state(self.data.root)
        self._earlier_ports = before.ports if before else {}
        if left := await asyncio.to_thread(end_orphans, self.data):
            self._tell(f"stopped {left} process(es) that an earlier start had left")
        self._ports = choose_ports(_PORTS, wanted={**self._earlier_ports, **self._wanted}, claim=self._claims.claim)
        self._write()
        specs = await asyncio.gather(*self._preparations())
        await self.run(specs)
        self._state = "running"
        self._write()

    def _preparations(self) -> list[asyncio.Future[ProcessSpec]]:
        wanted = {
            self._prepare_kafka: self.servers.kafka,
            self._prepare_database: self.servers.database,
            self._prepare_mail: self.servers.mail,
        }
        loop = asyncio.get_running_loop()
        return [loop.run_in_executor(None, prepare) for prepare, yes in wanted.items() if yes]

    def _prepare_kafka(self) -> ProcessSpec:
        java = find_java()
        files = ensure_artifacts(self._cache / "maven", pins=read_pins(), progress=self._tell_progress)
        broker = Broker(
            home=self.data.kafka,
            log=self.data.logs / "kafka-server.log",
            java=java,
            class_path=files,
            port=self._ports["kafka"],
            controller_port=self._ports["controller"],
        )
        broker.configure()
        broker.format()
        return broker.spec()

    def _tell_progress(self, done: int, total: int) -> None:
        if self._state == "stopping":
            raise StartFailed("the start was given up")
        if done < total:
            self._tell(f"fetching Apache Kafka: {done} of {total} files")

    def _database(self) -> DatabaseServer:
        return DatabaseServer(
            home=self.data.postgres,
            password_file=self.data.secrets / "postgres-admin",
            port=self._ports["postgres"],
        )

    def _prepare_database(self) -> ProcessSpec:
        server = self._database()
        server.initialize()
        server.forget_the_dead()
        return server.spec()

    def _prepare_mail(self) -> ProcessSpec:
        ports = (str(self._ports["smtp"]), str(self._ports["mail"]))
        health = f"http://{LOOPBACK}:{self._ports['mail']}/healthz"
        return ProcessSpec(
            name="mail",
            argv=(sys.executable, "-m", "deploy.embedded.mail", str(self.data.mail), *ports),
            probe=http_probe(health),
            health_url=health,
        )

    def reserve(self, names: Sequence[str], *, wanted: Mapping[str, int] | None = None) -> dict[str, int]:
        """A free port for each name, the same as the last time where it is still free; asked for after the start."""
        chosen = choose_ports(names, wanted={**(wanted or {}), **self._earlier_ports}, claim=self._claims.claim)
        self._ports.update(chosen)
        return chosen

    async def run(self, specs: Sequence[ProcessSpec]) -> None:
        """Keep these running and wait until they are healthy; raises StartFailed. Stopped before what ran already."""
        self._order.append([spec.name for spec in specs])
        self._supervisor.add(specs)
        await self._supervisor.all_healthy(specs)

    async def once(self, spec: ProcessSpec) -> None:
        """Run a job to its end; raises StartFailed where it does not end well."""
        await self._supervisor.once(spec)

    def announce(self, addresses: Mapping[str, str]) -> None:
        """Add addresses (the console's, …) to what `dropfix status` shows."""
        self._others.update(addresses)
        self._write()

    async def stop(self) -> None:
        """Stop everything, in order; harmless where nothing runs."""
        self._state = "stopping"
        for names in reversed(self._order):
            await self._supervisor.stop(names)
        self._order.clear()
        if self._held:
            await asyncio.to_thread(end_orphans, self.data)  # what its processes started and did not stop
        self._state = "stopped"
        self._write()
        self._resources.close()

    def report(self) -> StackReport:
        """What runs where, now."""
        own = self.addresses if self._ports else Addresses()
        named = {name: value for name in _ADDRESSES if (value := getattr(own, name)) is not None}
        return StackReport(
            state=self._state,
            supervisor=self._identity or Identity(os.getpid(), 0.0),
            data_dir=str(self.data.root),
            addresses={**named, **self._others},
            processes=self._supervisor.reports(),
            ports=dict(self._ports),
        )

    def _write(self) -> None:
        if self._ports:  # before that, the file is an earlier supervisor's
            write_state(self.data, self.report())


_PORTS = ("kafka", "controller", "postgres", "smtp", "mail")
_ADDRESSES = ("kafka", "database", "smtp", "mail")
