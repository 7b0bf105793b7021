"""The counting service's surroundings, on the shared servers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.counting import Counting


@pytest.fixture
def counting(kafka_bootstrap: str, topic_prefix: str, database_url: str, tmp_path: Path) -> Iterator[Counting]:
    """Topics, tables and a standing clock; its processes are ended afterwards."""
    counting = Counting(kafka_bootstrap, topic_prefix, database_url, tmp_path)
    counting.prepare()
    yield counting
    counting.close()
