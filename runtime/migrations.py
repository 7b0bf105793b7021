"""Migrations: numbered SQL files, applied by yoyo, each service's in its own schema and as its own role.

A service's schema is made of the pipeline's tables first and then its own. Files are never edited once released; a
change is a new file.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import psycopg
import yoyo

from runtime.access import prepare_readers, publish_views
from runtime.errors import MigrationError
from runtime.roles import ServiceRole, prepare_roles


@dataclass(frozen=True, slots=True)
class ServiceSchema:
    """What a service brings: its name, its schema, and the folders of its migrations in the order they apply."""

    service: str
    schema: str
    folders: tuple[Path, ...]
    reads_analytics: bool = False
    """Reads the views of the others, and makes none itself."""

    @property
    def role(self) -> ServiceRole:
        return ServiceRole(service=self.service, schema=self.schema, reads_analytics=self.reads_analytics)


OPERATOR = "operator"
"""The name of the operator's password among those of the services."""

_PREPARATIONS = 20
"""Roles are shared by all databases of a server; where several are prepared at once, one waits and tries again."""


def migrate(admin_url: str, services: Iterable[ServiceSchema], *, passwords: Mapping[str, str] | None = None) -> int:
    """Bring every service's schema to its newest version; returns how many migrations were applied.

    `admin_url` is a role that owns the database. `passwords` by service, and `operator`. Services are migrated in the
    order given, which is the order of the grants between them. Raises MigrationError naming the service and the file.
    """
    services = list(services)
    prepare(admin_url, services, passwords=passwords)
    applied = 0
    for service in services:
        applied += apply_folders(admin_url, service)
        with psycopg.connect(_as_role(admin_url, service.role.name, service.schema)) as connection:
            publish_views(connection)
    return applied


def prepare(admin_url: str, services: Iterable[ServiceSchema], *, passwords: Mapping[str, str] | None = None) -> None:
    """Make the roles and the empty schemas alone: what a dump needs to be restored, and what migrating does first."""
    roles, given = [service.role for service in services], passwords or {}
    readers = [role.name for role in roles if role.reads_analytics]
    for attempt in range(_PREPARATIONS):
        try:
            with psycopg.connect(admin_url) as admin:
                prepare_roles(admin, roles, given)
                prepare_readers(admin, readers, operator_password=given.get(OPERATOR))
        except psycopg.errors.InternalError_:  # "tuple concurrently updated"
            sleep(0.05 * (attempt + 1))
        except psycopg.OperationalError as error:
            raise MigrationError(f"the database cannot be reached: {str(error).strip()}") from error
        else:
            return
    raise MigrationError(
        "the roles could not be prepared: other databases of this server are being prepared; try again"
    )


def apply_folders(admin_url: str, service: ServiceSchema, *, schema: str | None = None) -> int:
    """Apply one service's migrations, by default in its own schema; a rebuild names a shadow."""
    target = schema or service.schema
    backend = yoyo.get_backend(_for_yoyo(_as_role(admin_url, service.role.name, target)))
    applied = 0
    try:
        with backend.lock(timeout=60):
            for folder in service.folders:
                pending = backend.to_apply(yoyo.read_migrations(str(folder)))
                backend.apply_migrations(pending)
                applied += len(pending)
    except (psycopg.Error, yoyo.exceptions.LockTimeout) as error:
        raise MigrationError(f"the schema {target} of {service.service} could not be migrated: {error}") from error
    finally:
        backend.connection.close()
    return applied


def pending(admin_url: str, service: ServiceSchema) -> list[str]:
    """Names of the migrations that are not applied yet."""
    backend = yoyo.get_backend(_for_yoyo(_as_role(admin_url, service.role.name, service.schema)))
    try:
        return [
            migration.id
            for folder in service.folders
            for migration in backend.to_apply(yoyo.read_migrations(str(folder)))
        ]
    finally:
        backend.connection.close()


def _as_role(admin_url: str, role: str, schema: str) -> str:
    """The administrator's address, acting as the service's role, in its schema."""
    parts = urlsplit(admin_url)
    options = f"-c role={role} -c search_path={schema} -c lock_timeout=60000"
    query = "&".join(filter(None, (parts.query, urlencode({"options": options}, quote_via=quote))))
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))


def _for_yoyo(url: str) -> str:
    """The same address, through psycopg 3."""
    return urlunsplit(urlsplit(url)._replace(scheme="postgresql+psycopg"))
