"""Dunning on real servers, with an armed workspace."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.mails import MailBox
from tests.integration.dunning.service import Dunning, SmtpServer, dunning_on


@pytest.fixture
def box(smtp_sink: MailBox, monkeypatch: pytest.MonkeyPatch) -> MailBox:
    """The mail server that the service is given."""
    monkeypatch.setenv("SMTP_URL", smtp_sink.url)
    return smtp_sink


@pytest.fixture
def dunning(
    kafka_bootstrap: str, topic_prefix: str, database_url: str, box: MailBox, tmp_path: Path
) -> Iterator[Dunning]:
    folder = tmp_path / "service"
    folder.mkdir()
    service = dunning_on(kafka_bootstrap, topic_prefix, database_url, folder, box).open()
    yield service
    service.close()


@pytest.fixture
def smtp_server(dunning: Dunning, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmtpServer]:
    """A mail server that can misbehave, in the place of the sink."""
    server = SmtpServer()
    with server.running() as url:
        monkeypatch.setenv("SMTP_URL", url)
        yield server
        dunning.close()
