"""A database with every service's tables, two companies in it, and whoever may read or write there."""

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, LiteralString, NamedTuple
from urllib.parse import quote, urlsplit, urlunsplit
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from cli.services import all_services
from deploy.embedded.database import programs
from runtime.access import OPERATOR, analyst_role, create_analyst, drop_analyst
from runtime.migrations import ServiceSchema, migrate

OPERATOR_PASSWORD = "only for tests"
"""One for all tests: the role is shared by every database of the server."""

SAME_IDS = {
    "customer_id": "cus_same",
    "subscription_id": "sub_same",
    "invoice_id": "in_same",
    "charge_id": "ch_same",
    "payment_intent_id": "pi_same",
    "dispute_id": "dp_same",
    "subject": "same/cus_same",
    "currency": "usd",
}
"""Everybody's objects have the same ids, as where two companies watch one account."""

TOGETHER: dict[str, dict[str, object]] = {
    "mrr.movements": {"corrects": None, "mrr_before": 0},
    "detector.signals": {"resolved_at": None},
    "detector.persons": {"customer_id": None, "connection_id": None},
    "dunning.episodes": {"state": "waiting"},
    "dunning.decisions": {"kind": "dunning.test_send"},
    "mrr.balances": {"prices": ["price_same"], "quantities": [1], "amounts": [1]},
    "mrr.decisions": {"kind": "connection.made", "detail": Jsonb({"livemode_claimed": False})},
    "mrr.days": {"zone": "UTC"},
    "mrr.months": {"zone": "UTC", "cohort": "2026-11-01", "month": "2026-11-01"},
    "mrr_io.rates": {"currency": "usd", "valid_from": "2026-11-01"},
}
"""What columns of a row must have together, or a view leaves out."""

ALSO: dict[str, dict[str, object]] = {
    "mrr.decisions": {"kind": "connection.ended", "decision_id": "ended"},
}
"""What a second row has: a connection in test mode that was ended is set aside."""

WORDS = re.compile(r"\((\w+) = ANY \(ARRAY\['(\w+)'")
"""In a constraint: a column that accepts some words only, and the first of them."""

OF_A_WORKSPACE = {"users", "dunning_sender_tests", "workspace_calendar", "exchange_rates"}
"""Views whose rows are of a workspace and of no connection."""

BY_TYPE: dict[str, object] = {
    "bool": True,
    "jsonb": Jsonb({}),
    "_text": [],
    "interval": "0",
    "timestamptz": "2026-11-24T12:00:00Z",
    "date": "2026-11-24",
    "bytea": b"",
}

UNIQUE_KEYS = {"subject"}
"""Of SAME_IDS: ids that start with the connection, and so are its own."""


@dataclass(frozen=True)
class Scene:
    """A connection of a workspace, and the number that its rows carry."""

    workspace_id: str
    connection_id: str
    livemode: bool
    number: int

    def value(self, column: str, kind: str) -> object:
        """What its rows have in a column."""
        known = {
            "workspace_id": self.workspace_id,
            "connection_id": self.connection_id,
            "livemode": self.livemode,
            "deleted": False,
        }
        if column in known:
            return known[column]
        if column in SAME_IDS:
            return f"{self.connection_id}/cus_same" if column in UNIQUE_KEYS else SAME_IDS[column]
        if kind in {"text", "varchar"}:
            return f"{column} {self.number} of {self.workspace_id}"
        return uuid4() if kind == "uuid" else BY_TYPE.get(kind, self.number)


class Column(NamedTuple):
    name: str
    kind: str


class Relation(NamedTuple):
    """A table or view by its qualified name."""

    name: str
    schema: str
    owner: str

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(*self.name.split(".", 1))


@dataclass(frozen=True)
class Refused:
    """What PostgreSQL answered to a statement."""

    sqlstate: str | None
    message: str


@dataclass(frozen=True)
class Deployment:
    """The database as its administrator sees it, and its workspaces: `ours` in two modes, `theirs` in one."""

    url: str
    schemas: tuple[ServiceSchema, ...]
    ours: str
    theirs: str
    scenes: tuple[Scene, ...]

    @cached_property
    def views(self) -> list[str]:
        """Names of the views, without their schema."""
        rows = self.rows(
            "SELECT relname FROM pg_class WHERE relnamespace = 'analytics'::regnamespace AND relkind IN ('v', 'm')"
            " ORDER BY 1"
        )
        return [name for (name,) in rows]

    @cached_property
    def views_by_connection(self) -> list[str]:
        """Those whose rows are of a connection; a user of the product is its workspace's alone."""
        return [view for view in self.views if view not in OF_A_WORKSPACE]

    @cached_property
    def tables(self) -> list[Relation]:
        """Every table of every service."""
        rows = self.rows(
            "SELECT format('%%s.%%s', relnamespace::regnamespace, relname), relnamespace::regnamespace::text,"
            " relowner::regrole::text FROM pg_class WHERE relkind IN ('r', 'p')"
            " AND relowner::regrole::text = ANY(%s) ORDER BY 1",
            [schema.role.name for schema in self.schemas],
        )
        return [Relation(*row) for row in rows]

    @cached_property
    def tables_beneath(self) -> list[str]:
        """Names of the tables that the views read."""
        rows = self.rows(
            "SELECT DISTINCT format('%s.%s', t.relnamespace::regnamespace, t.relname) FROM pg_class v"
            " JOIN pg_rewrite r ON r.ev_class = v.oid JOIN pg_depend d ON d.objid = r.oid"
            " AND d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass"
            " JOIN pg_class t ON t.oid = d.refobjid AND t.relkind = 'r'"
            " WHERE v.relnamespace = 'analytics'::regnamespace ORDER BY 1"
        )
        return [name for (name,) in rows]

    def columns(self, relation: str) -> list[Column]:
        rows = self.rows(
            "SELECT attname, typname FROM pg_attribute JOIN pg_type t ON t.oid = atttypid"
            " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = '' ORDER BY attnum",
            relation,
        )
        return [Column(*row) for row in rows]

    def words(self, table: str) -> dict[str, object]:
        """By column that accepts some words only: one of them."""
        constraints = self.rows(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'c' AND conrelid = %s::regclass", table
        )
        return {column: word for (text,) in constraints for column, word in WORDS.findall(text)}

    def rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run a statement as the administrator."""
        with psycopg.connect(self.url, autocommit=True) as db:
            cursor = db.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def acting_as(self, role: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """A session of this role, as if it had logged in: it can become nobody else by itself."""
        with psycopg.connect(self.url) as db:
            db.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(sql.Identifier(role)))
            yield db
            db.rollback()

    def refusal(self, role: str, statement: LiteralString) -> Refused | None:
        """What PostgreSQL says where the role may not do it; None where it may. Nothing stays done."""
        with self.acting_as(role) as db:
            return refusal(db, sql.SQL(statement))

    def url_of(self, role: str, password: str) -> str:
        parts = urlsplit(self.url)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{role}:{quote(password)}@{host}"))

    @property
    def operator_url(self) -> str:
        return self.url_of(OPERATOR, OPERATOR_PASSWORD)

    @staticmethod
    def rows_a_scene(table: str) -> int:
        """How many rows of each scene a table beneath the views has."""
        return 2 if table in ALSO else 1

    def fill(self) -> None:
        """A row of each scene in every table beneath the views."""
        with psycopg.connect(self.url) as db:
            db.execute("SET session_replication_role = replica")  # the order of tables does not matter then
            for table in self.tables_beneath:
                columns = self.columns(table)
                if "workspace_id" not in {column.name for column in columns}:
                    continue
                fixed = self.words(table) | TOGETHER.get(table, {})
                for scene in self.scenes:
                    values = {c.name: scene.value(*c) for c in columns} | fixed
                    insert(db, table, values)
                    if table in ALSO:
                        insert(db, table, values | own(scene, ALSO[table]))


def own(scene: Scene, values: dict[str, object]) -> dict[str, object]:
    """The words of a second row, made the scene's own where they are ids."""
    return {name: f"{value} {scene.number}" if name.endswith("_id") else value for name, value in values.items()}


def refusal(db: psycopg.Connection[tuple[Any, ...]], statement: sql.SQL | sql.Composed) -> Refused | None:
    """Try a statement and undo it; what was answered where it was refused."""
    try:
        with db.transaction(force_rollback=True):
            db.execute(statement)
    except psycopg.Error as error:
        return Refused(error.sqlstate, str(error))
    return None


def insert(db: psycopg.Connection[tuple[Any, ...]], table: str, values: dict[str, object]) -> None:
    """One row."""
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(*table.split(".")),
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join([sql.Placeholder()] * len(values)),
    )
    db.execute(statement, list(values.values()))


def psql(url: str, *statements: str) -> subprocess.CompletedProcess[str]:
    """What a person gets who types them into psql."""
    typed = [part for statement in statements for part in ("--command", statement)]
    command = [str(programs() / "psql"), "--no-psqlrc", "--quiet", "--csv", "--tuples-only", *typed, url]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "PAGER": ""}
    )


@contextmanager
def deployed(url: str) -> Iterator[Deployment]:
    """Every service's tables in a fresh database, with rows of two companies; their analysts' roles go afterwards."""
    schemas = tuple(service.schema() for service in all_services())
    migrate(url, schemas, passwords={"operator": OPERATOR_PASSWORD})
    ours, theirs = (f"ws_{uuid4().hex}" for _ in range(2))
    scenes = (
        Scene(ours, "con_our_live", livemode=True, number=1),
        Scene(ours, "con_our_test", livemode=False, number=2),
        Scene(theirs, "con_their_live", livemode=True, number=3),
    )
    found = Deployment(url, schemas, ours, theirs, scenes)
    found.fill()
    try:
        yield found
    finally:
        remove_analysts(url, [ours, theirs])


def remove_analysts(url: str, workspaces: Sequence[str]) -> None:
    """Roles are the server's and outlive the database."""
    with psycopg.connect(url, autocommit=True) as admin:
        for workspace in workspaces:
            if admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (analyst_role(workspace),)).fetchone():
                drop_analyst(admin, workspace)


def analyst_url(deployment: Deployment, workspace_id: str) -> str:
    """Make a workspace's analyst; how it connects."""
    with psycopg.connect(deployment.url) as admin:
        password = create_analyst(admin, workspace_id)
    return deployment.url_of(analyst_role(workspace_id), password)
