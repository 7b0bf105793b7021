"""SMTP in front of the store."""

import asyncio
import signal
from pathlib import Path
from threading import Thread
from typing import Any

from aiosmtpd.smtp import SMTP

from deploy.embedded.mail.page import serve_page
from deploy.embedded.mail.store import MailStore

LARGEST_MAIL_BYTES = 10_000_000


class Keep:
    """Accepts every mail for every address."""

    def __init__(self, store: MailStore) -> None:
        self._store = store

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        kept = self._store.add(
            sender=envelope.mail_from or "", recipients=envelope.rcpt_tos, content=envelope.original_content
        )
        return f"250 OK kept as {kept.id}"


async def serve(folder: Path, *, host: str, smtp_port: int, page_port: int) -> None:
    """Take mails and show them until SIGTERM or SIGINT."""
    store = MailStore(folder)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for which in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(which, stopping.set)
    page = serve_page(store, host, page_port)
    Thread(target=page.serve_forever, args=(1.0,), daemon=True).start()
    handler = Keep(store)
    smtp = await loop.create_server(
        lambda: SMTP(handler, hostname="localhost", data_size_limit=LARGEST_MAIL_BYTES, enable_SMTPUTF8=True),
        host,
        smtp_port,
    )
    async with smtp:
        await stopping.wait()
    page.shutdown()
