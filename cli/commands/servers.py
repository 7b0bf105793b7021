"""Commands about what the services stand on: tables, topics, single processes."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.database import checked
from cli.errors import USAGE, CommandError
from cli.output import done, out, print_json
from cli.services import all_services, service_named

if TYPE_CHECKING:
    from runtime.settings import BrokerSettings

topics_app = typer.Typer(help="The topics of the catalogue.", no_args_is_help=True)
secrets_app = typer.Typer(help="The secrets of a deployment.", no_args_is_help=True)
BootstrapServers = Annotated[
    str | None,
    typer.Option(
        "--kafka",
        help="host:port[,host:port] of the brokers; else KAFKA_BOOTSTRAP_SERVERS. How they are reached is in the other "
        "KAFKA_… settings, as for a service.",
    ),
]
Prefix = Annotated[str | None, typer.Option("--prefix", help="Prefix of the topics' names; else DROPFIX_TOPIC_PREFIX.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def add_to(app: typer.Typer) -> None:
    """Mount the commands of this module."""
    app.command()(migrate)
    app.command()(service)
    app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(simulator)
    app.add_typer(topics_app, name="topics")
    app.add_typer(secrets_app, name="secrets")


def migrate(
    database_url: Annotated[
        str, typer.Option(envvar="DATABASE_URL", help="A role that owns the database: it makes roles and schemas.")
    ],
    passwords: Annotated[
        Path | None,
        typer.Option(
            help="Folder with a file `password_NAME` for each service and the operator; without it none changes."
        ),
    ] = None,
    roles_only: Annotated[
        bool, typer.Option("--roles-only", help="Make the roles and empty schemas alone, for a dump to be restored.")
    ] = False,
) -> None:
    """Bring every service's tables to their newest version."""
    from runtime.migrations import OPERATOR, prepare
    from runtime.migrations import migrate as apply

    found, database_url = all_services(), checked(database_url)
    names = [OPERATOR, *(service.name for service in found)]
    given = {name: _password(passwords, name) for name in names} if passwords else {}
    schemas = [service.schema() for service in found]
    if roles_only:
        prepare(database_url, schemas, passwords=given)
        done("the roles are there")
        return
    applied = apply(database_url, schemas, passwords=given)
    done(f"{applied} migration(s) applied" if applied else "every table is at its newest version")


def _password(folder: Path, service: str) -> str:
    file = folder / f"password_{service}"
    try:
        return file.read_text().strip()
    except OSError as error:
        raise CommandError(
            f"{file} cannot be read: {error.strerror}", remedy="make it with `dropfix secrets make`"
        ) from error


def service(name: Annotated[str, typer.Argument(help="poller, mirror, mrr, detector, console, …")]) -> None:
    """Run one service in this terminal, by the settings of the environment."""
    service_named(name)
    os.execv(sys.executable, [sys.executable, "-m", f"services.{name}"])


def simulator(context: typer.Context) -> None:
    """Run the Stripe simulator by itself; its options follow (try: dropfix simulator -- --help)."""
    os.execv(sys.executable, [sys.executable, "-m", "simulator", *context.args])


@topics_app.command("list")
def list_topics(as_json: AsJson = False) -> None:
    """Show every topic: what it is about, its key, how long it is kept."""
    from schemas.catalogue import TOPICS

    if as_json:
        print_json([_described(topic) for topic in TOPICS.values()])
        return
    for topic in TOPICS.values():
        out.print(f"[bold]{topic.name}[/]  [dim]{topic.partitions} partitions, kept {_kept(topic)}, key {topic.key}[/]")
        out.print(f"  {topic.about}")


@topics_app.command("create")
def create(
    kafka: BootstrapServers = None,
    prefix: Prefix = None,
    replication: Annotated[
        int | None, typer.Option(min=1, help="Copies of each; else DROPFIX_TOPIC_REPLICATION.")
    ] = None,
) -> None:
    """Create the topics that are missing; never changes one that is there."""
    from runtime.kafka import Broker, create_topics
    from schemas.catalogue import TOPICS

    settings = _broker_settings(kafka, prefix, replication)
    made = create_topics(Broker.of(settings), list(TOPICS.values()), replication=settings.topic_replication)
    done(f"{len(made)} topic(s) created, {len(TOPICS) - len(made)} were there")


@topics_app.command("describe")
def describe_topics(kafka: BootstrapServers = None, prefix: Prefix = None, as_json: AsJson = False) -> None:
    """Show what the broker says of each topic of the catalogue."""
    from runtime.kafka import Broker, describe
    from schemas.catalogue import TOPICS

    found = describe(Broker.of(_broker_settings(kafka, prefix)), list(TOPICS.values()))
    rows = [{"topic": name, "partitions": len(found[name]["partitions"]) if name in found else None} for name in TOPICS]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        there = f"{row['partitions']} partitions" if row["partitions"] else "[yellow]missing[/]"
        out.print(f"{row['topic']}  [dim]{there}[/]")
    if any(row["partitions"] is None for row in rows):
        raise CommandError("some topics are missing", remedy="dropfix topics create", code=1)


def _broker_settings(kafka: str | None, prefix: str | None, replication: int | None = None) -> "BrokerSettings":
    """The settings of the environment, with what the command line says over them."""
    from runtime.settings import BrokerSettings, load_settings

    given = {"kafka_bootstrap_servers": kafka, "topic_prefix": prefix, "topic_replication": replication}
    return load_settings(BrokerSettings, **{name: value for name, value in given.items() if value is not None})


def _described(topic: object) -> dict[str, object]:
    from schemas.catalogue import Topic

    if not isinstance(topic, Topic):
        raise CommandError("not a topic", code=USAGE)
    return {
        "name": topic.name,
        "about": topic.about,
        "subject": topic.subject,
        "key": topic.key,
        "partitions": topic.partitions,
        "kept_days": topic.retention.days if topic.retention else None,
    }


def _kept(topic: object) -> str:
    days = _described(topic)["kept_days"]
    return f"{days} days" if days else "for ever"


Readable = Annotated[
    bool, typer.Option("--readable", help="Files may be read by all; for containers, in a folder that is closed.")
]


@secrets_app.command("make")
def make_secrets(
    folder: Annotated[Path, typer.Argument(help="Where to put them, one a file.")], readable: Readable = False
) -> None:
    """Make what a deployment needs and is not there: vault keys, database passwords, the operator's token."""
    from cli.secrets import SecretFiles

    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    files = SecretFiles(folder, mode=0o444 if readable else 0o600).make_all(
        ["admin", *(service.name for service in all_services())]
    )
    done(f"{len(files)} secrets in {folder}; keep vault_private_keys apart from the database's backups")


@secrets_app.command("rotate")
def rotate_vault(
    folder: Annotated[Path, typer.Argument(help="The folder of the secrets.")], readable: Readable = False
) -> None:
    """Make a new key of the vault and keep the old ones; the poller then seals every Stripe key to the new one."""
    from cli.secrets import VAULT_PRIVATE, SecretFiles

    if not (folder / VAULT_PRIVATE).exists():
        raise CommandError(f"{folder} has no {VAULT_PRIVATE}", remedy="dropfix secrets make", code=USAGE)
    key_id = SecretFiles(folder, mode=0o444 if readable else 0o600).rotate_vault()
    done(f"the vault's key is {key_id} now; restart the poller, then the console")
