"""The console put together: tables, the live listener, the relay of its outbox, and the web."""

import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from threading import Thread

import uvicorn
from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI
from starlette.middleware import Middleware

from pipeline.relay import Relay
from runtime.clock import Clock
from runtime.database import Database, Pool
from runtime.errors import RuntimeFault
from runtime.kafka import Broker
from runtime.logs import get_logger
from runtime.service import Frame
from services.console.calls import CallStore
from services.console.connections import Connections, watched_in
from services.console.decisions import Decisions
from services.console.episodes import EpisodeStore, has_passed
from services.console.figures import FigureStore
from services.console.live import LiveUpdates
from services.console.overview import is_live, overview_of, scope_of
from services.console.people import PeopleStore
from services.console.publisher import Publisher
from services.console.settings import ConsoleSettings
from services.console.store import SCHEMA, Store
from services.console.web import pages
from services.console.web.context import Console
from services.console.web.middleware import SecurityHeaders
from services.console.web.operator_api import prepare_token
from services.console.write_keys import WriteKeys

POOL_SIZE = 6
PAGE_THREADS = 8
GRACE_S = 3
FORM_BYTES = 64 * 1024

log = get_logger(__name__)


def serve(settings: ConsoleSettings, frame: Frame) -> None:
    """Serve until the frame is told to stop."""
    with listen(settings.http_host, settings.http_port) as listener:
        address = settings.public_url or address_of(listener)
        with assembled(settings, frame, address=address) as console:
            offer_first_run(console)
            server = _server(settings, build_app(console))
            web = Thread(target=server.run, kwargs={"sockets": [listener]}, name="web", daemon=True)
            web.start()
            log.info("the console listens", address=address)
            while web.is_alive() and not console.faults and not frame.stopping.wait(1.0):
                pass
            ended_by_itself = not web.is_alive()
            console.live.stop()
            server.should_exit = True
            web.join(GRACE_S + 2)
            if ended_by_itself or console.faults:
                raise RuntimeFault(f"a part of the console ended: {_told(console.faults)}")


@contextmanager
def assembled(settings: ConsoleSettings, frame: Frame, *, address: str) -> Iterator[Console]:
    """The parts, running; stopped at the end of the block. `address` is where people reach the console."""
    database = Database(settings.database_url.get_secret_value(), SCHEMA, "dropfix-console")
    broker = Broker.of(settings)
    faults: list[BaseException] = []
    relay = Relay(database, broker, failed=faults.append)
    publisher = Publisher(broker)
    with database.pool(max_size=POOL_SIZE) as pool:
        connections = Connections(pool, sealing_key=settings.sealing_key, clock=frame.clock, decided=relay.wake)
        figures, episodes, store = FigureStore(pool), EpisodeStore(pool), Store(pool)
        look = _look(connections, figures, episodes, frame.clock)
        live = LiveUpdates(database, look, health=frame.health, failed=faults.append)
        relay.start()
        live.start()
        frame.health.resumes()
        try:
            yield Console(
                settings=settings,
                address=address,
                clock=frame.clock,
                health=frame.health,
                store=store,
                write_keys=WriteKeys(store.use_write_key),
                connections=connections,
                decisions=_decisions(pool, frame.clock, relay),
                figures=figures,
                people=PeopleStore(pool),
                calls=CallStore(pool),
                episodes=episodes,
                publisher=publisher,
                live=live,
                faults=faults,
            )
        finally:
            live.stop()
            relay.stop()
            publisher.close()


def _look(
    connections: Connections, figures: FigureStore, episodes: EpisodeStore, clock: Clock
) -> Callable[[str], object]:
    """What the pages of a workspace show: they are told to look again when it is another."""

    def look(workspace_id: str) -> object:
        watched = connections.watched(workspace_id)
        scope, now = scope_of(watched), clock.now()
        seen = overview_of(scope, figures.figures(workspace_id, scope, now))
        return watched, seen, episodes.recovery(workspace_id, scope, now), episodes.sender_tests(workspace_id)

    return look


def _decisions(pool: Pool, clock: Clock, relay: Relay) -> Decisions:
    return Decisions(
        pool,
        clock=clock,
        decided=relay.wake,
        has_passed=has_passed,
        is_live=lambda db, workspace_id: is_live(watched_in(db, workspace_id)),
    )


def build_app(console: Console) -> FastAPI:
    """The web application around these parts."""
    if console.settings.operator_token_file is not None:
        prepare_token(console.settings.operator_token_file)

    @asynccontextmanager
    async def few_threads(_: FastAPI) -> AsyncIterator[None]:
        current_default_thread_limiter().total_tokens = PAGE_THREADS
        yield

    app = FastAPI(
        title="DropFix",
        openapi_url=None,
        lifespan=few_threads,
        max_body_size=FORM_BYTES,
        middleware=[Middleware(SecurityHeaders, https=console.settings.secure_cookies)],
    )
    app.state.console = console
    pages.add_to(app)
    return app


def offer_first_run(console: Console) -> None:
    """Without a member: a link that makes the first one, in the log and in the file that the settings name."""
    token = console.store.offer_first_run(console.clock.machine_now())
    file = console.settings.first_run_link_file
    if token is None:
        if file is not None:
            file.unlink(missing_ok=True)
        return
    link = f"{console.address}/first-run?token={token}"
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            opened.write(link + "\n")
    log.info("nobody can sign in yet; open this link to set DropFix up (it works once, for a day)", link=link)


@contextmanager
def listen(host: str, port: int) -> Iterator[socket.socket]:
    """A listening socket; raises RuntimeFault where the address cannot be had."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=256)
    except OSError as error:
        raise RuntimeFault(
            f"console cannot listen on {host}:{port} ({error.strerror}); set DROPFIX_HTTP_PORT to a free port"
        ) from error
    with listener:
        yield listener


def address_of(listener: socket.socket) -> str:
    """Where a browser on this machine reaches the socket."""
    host, port = listener.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _told(faults: Sequence[BaseException]) -> str:
    return "; ".join(f"{type(fault).__name__}: {fault}" for fault in faults) or "the web server"


def _server(settings: ConsoleSettings, app: FastAPI) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies or None,
        timeout_graceful_shutdown=GRACE_S,
    )
    return uvicorn.Server(config)
