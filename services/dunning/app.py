"""Dunning's process: its processor, run by the pipeline, and the sender beside it."""

from threading import Event

from pipeline.ending import end_process
from pipeline.log import LogReader
from pipeline.worker import run_consumer
from runtime.database import Database
from runtime.kafka import Broker
from runtime.mail import Mailer
from runtime.service import Frame, run_service
from runtime.settings import read_secret
from services.dunning.links import Links
from services.dunning.processor import GROUP, DunningProcessor
from services.dunning.sender import MailSender
from services.dunning.settings import DunningSettings


def serve(settings: DunningSettings, frame: Frame) -> None:
    """Consume and send until told to stop."""
    database = Database(url=settings.database_url.get_secret_value(), schema=GROUP, application="dropfix-dunning-mail")
    broker = Broker.of(settings)
    log_reader, written = LogReader(broker, client_id="dunning-mail"), Event()
    sender = MailSender(
        database,
        log_reader,
        clock=frame.clock,
        mailer=Mailer(settings.mail_server) if settings.mail_server else None,
        links=links_of(settings),
        health=frame.health,
        failed=end_process,
        written=written,
    )
    sender.start()
    try:
        run_consumer(DunningProcessor(), settings, frame, source=settings.source, written=written)
    finally:
        sender.stop()
        log_reader.close()


def links_of(settings: DunningSettings) -> Links:
    """How links are made; without an address or a key emails carry none."""
    path = settings.unsubscribe_key_file
    key = read_secret("DROPFIX_UNSUBSCRIBE_KEY_FILE", path).encode() if path else None
    return Links(public_url=settings.public_url, key=key)


def main() -> int:
    """Run dunning; returns the process's exit code."""
    return run_service(DunningSettings, serve)
