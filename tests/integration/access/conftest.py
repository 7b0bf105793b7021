"""One deployment for all tests of a worker: they only look, or are refused."""

from collections.abc import Iterator

import pytest

from tests.fixtures.servers import TestServers, fresh_database
from tests.integration.access.deployment import Deployment, analyst_url, deployed


@pytest.fixture(scope="session")
def deployment(servers: TestServers) -> Iterator[Deployment]:
    """A migrated database with the rows of two companies, one of them in live and test mode."""
    with fresh_database(servers.database) as url, deployed(url) as found:
        yield found


@pytest.fixture(scope="session")
def our_analyst(deployment: Deployment) -> str:
    """How the analyst of our workspace connects."""
    return analyst_url(deployment, deployment.ours)


@pytest.fixture(scope="session")
def their_analyst(deployment: Deployment) -> str:
    """How the analyst of the other workspace connects."""
    return analyst_url(deployment, deployment.theirs)
