"""On a managed server nobody is a superuser: a role that owns the database and may make roles is enough."""

import asyncio
from pathlib import Path

import psycopg

from cli.services import all_services
from deploy.embedded.stack import EmbeddedStack, Servers
from runtime.access import create_analyst, drop_analyst, list_analysts
from runtime.migrations import migrate, pending
from tests.fixtures.servers import database_address


def test_the_owner_of_the_database_prepares_and_upgrades_it(tmp_path: Path) -> None:
    """On a server of its own: elsewhere the roles are there already, made by an administrator."""
    asyncio.run(_on_a_server_of_its_own(tmp_path))


async def _on_a_server_of_its_own(folder: Path) -> None:
    async with EmbeddedStack(folder, servers=Servers(kafka=False, mail=False)) as stack:
        assert stack.addresses.database is not None
        await asyncio.to_thread(_prepare, stack.addresses.database)


def _prepare(superuser: str) -> None:
    with psycopg.connect(superuser, autocommit=True) as admin:
        admin.execute("CREATE ROLE owner LOGIN CREATEROLE PASSWORD 'owner'")
        admin.execute("CREATE DATABASE production OWNER owner")
    owner = database_address(superuser, "production").replace(superuser.partition("@")[0], "postgresql://owner:owner")
    schemas = [service.schema() for service in all_services()]
    assert migrate(owner, schemas, passwords={"operator": "operator"}) > 0
    assert migrate(owner, schemas) == 0
    assert [name for schema in schemas for name in pending(owner, schema)] == []
    with psycopg.connect(owner) as admin:
        assert create_analyst(admin, "ws_1") != create_analyst(admin, "ws_1")
        assert [analyst.workspace_id for analyst in list_analysts(admin)] == ["ws_1"]
        drop_analyst(admin, "ws_1")
        assert list_analysts(admin) == []
