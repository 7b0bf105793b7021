"""`dropfix dlq`: what a service could not process, and what becomes of it."""

import getpass
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import psycopg
import typer
from rich.markup import escape

from cli.database import DatabaseUrl, DataDir, connected, database_address
from cli.errors import NOT_RUNNING, USAGE, CommandError, pipeline_faults
from cli.output import done, out, print_json, suggest
from cli.places import broker_settings

if TYPE_CHECKING:
    from pipeline.dead_letter_box import DeadLetter, DeadLetterBox
    from pipeline.records import Record
    from runtime.database import Connection

app = typer.Typer(help="Records that a service could not process: look at them, send them back.", no_args_is_help=True)
Group = Annotated[str, typer.Argument(help="mirror, mrr, detector, dunning, …")]
Place = Annotated[str, typer.Argument(help="topic/partition/offset, as `dropfix dlq list` shows it.")]
Kafka = Annotated[
    str | None, typer.Option("--kafka", help="Brokers; else KAFKA_BOOTSTRAP_SERVERS, else the stack that runs.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
By = Annotated[str | None, typer.Option("--by", help="Who decides; else who is logged in.")]


@app.command("list")
def list_all(
    group: Group,
    every: Annotated[bool, typer.Option("--all", help="Also those that were replayed or dropped.")] = False,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show the dead letters that wait, the oldest first, with the reason."""
    from pipeline.dead_letter_box import letters_of

    with _tables_of(group, database_url, data_dir) as conn:
        letters = [letter for letter in letters_of(conn, group) if every or letter.state == "waiting"]
    if as_json:
        print_json([_as_json(letter) for letter in letters])
        return
    for letter in letters:
        colour = {"waiting": "yellow", "replayed": "green", "dropped": "dim"}[letter.state]
        out.print(f"[bold]{letter.place}[/]  [{colour}]{letter.state}[/]  [dim]{_age(letter)} ago[/]")
        out.print(f"  {escape(letter.reason)}")
        if letter.why:
            out.print(f"  [dim]dropped by {escape(letter.decided_by or '')}: {escape(letter.why)}[/]")
    if not letters:
        done(f"no dead letter of {group} waits")


@app.command()
def show(
    group: Group,
    place: Place,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    kafka: Kafka = None,
    raw: Annotated[bool, typer.Option("--raw", help="Print the value's bytes alone, to be mended in a file.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one dead letter: why it is one, its headers and its value. What looks like a key is left out."""
    with _opened(group, database_url, data_dir, kafka) as box:
        letter = _chosen(box, place)
        record = _record_of(box, letter)
    if raw:
        typer.get_binary_stream("stdout").write(record.value or b"")
        return
    headers, value = {name: _text(data) for name, data in record.headers}, _pretty(record.value or b"")
    if as_json:
        print_json({**_as_json(letter), "headers": headers, "value": value})
        return
    out.print(f"[bold]{letter.place}[/]  {letter.state}, {_age(letter)} ago")
    out.print(f"[red]{escape(letter.reason)}[/]")
    for name, text in headers.items():
        out.print(f"[dim]{escape(name)}[/] {escape(text)}")
    out.print(value, markup=False)
    suggest(
        f"mend it: dropfix dlq show {group} {place} --raw > value; dropfix dlq replay {group} {place} --mended value"
    )


@app.command()
def replay(
    group: Group,
    place: Annotated[str | None, typer.Argument(help="topic/partition/offset; or --all.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every one that waits.")] = False,
    mended: Annotated[
        Path | None,
        typer.Option("--mended", help="A file with the value as it should be.", exists=True, dir_okay=False),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Also one that was replayed or dropped.")] = False,
    by: By = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    kafka: Kafka = None,
) -> None:
    """Send dead letters back to the service, as they were or mended, under their original version."""
    if (place is None) is not every or (every and mended):
        raise CommandError("which?", remedy="name one by topic/partition/offset, or give --all", code=USAGE)
    value = _mended_value(mended)
    with _opened(group, database_url, data_dir, kafka) as box:
        chosen = [_chosen(box, place)] if place else box.letters()
        sent = [letter for letter in chosen if again or letter.state == "waiting"]
        records = box.records(sent) if sent else {}
        missing = [letter.place for letter in sent if letter.place not in records]
        for letter in sent:
            if letter.place in records:
                box.send_back(letter, records[letter.place], by=_who(by), mended=value)
    if missing:
        raise CommandError(
            f"{len(missing)} of {len(sent)} are not on {group}.dlq.v1 yet: {', '.join(missing[:3])}",
            remedy=f"the service publishes them while it runs; the others were sent back. Is {group} up?",
        )
    done(f"{len(sent)} sent back to {group}{_left_alone(chosen, sent)}")


@app.command()
def drop(
    group: Group,
    place: Place,
    why: Annotated[str, typer.Option("--why", help="Why it is not needed; kept beside it.")],
    by: By = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    kafka: Kafka = None,
) -> None:
    """Decide to go without a dead letter. Its bytes stay on the topic, and it can still be replayed with --again."""
    if not why.strip():
        raise CommandError("why is it not needed?", remedy="say it with --why", code=USAGE)
    with _opened(group, database_url, data_dir, kafka) as box:
        letter = _chosen(box, place)
        box.drop(letter, by=_who(by), why=why.strip())
    done(f"{letter.place} is dropped" + (" already" if letter.state == "dropped" else ""))


@contextmanager
def _tables_of(group: str, database_url: str | None, data_dir: Path | None) -> Iterator["Connection"]:
    from schemas.catalogue import CONSUMER_GROUPS

    if group not in CONSUMER_GROUPS:
        raise CommandError(f"there is no group {group!r}", remedy=f"there are {', '.join(CONSUMER_GROUPS)}", code=USAGE)
    with pipeline_faults("nothing was lost: try again"), connected(database_address(database_url, data_dir)) as conn:
        conn.autocommit = True
        try:
            yield conn
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
            raise CommandError(f"{group} has no dead letters in this database", remedy="dropfix migrate") from error


@contextmanager
def _opened(
    group: str, database_url: str | None, data_dir: Path | None, kafka: str | None
) -> Iterator["DeadLetterBox"]:
    from pipeline.dead_letter_box import DeadLetterBox
    from runtime.kafka import Broker

    with _tables_of(group, database_url, data_dir) as conn:
        yield DeadLetterBox(conn, Broker.of(broker_settings(kafka, data_dir)), group)


def _chosen(box: "DeadLetterBox", place: str) -> "DeadLetter":
    for letter in box.letters():
        if letter.place == place:
            return letter
    raise CommandError(f"there is no dead letter {place}", remedy="dropfix dlq list shows them", code=NOT_RUNNING)


def _record_of(box: "DeadLetterBox", letter: "DeadLetter") -> "Record":
    record = box.records([letter]).get(letter.place)
    if record is None:
        raise CommandError(f"{letter.place} is not published yet", remedy="the service publishes it while it runs")
    return record


def _mended_value(path: Path | None) -> bytes | None:
    from pipeline.dead_letter_box import fits

    if path is None:
        return None
    value = path.read_bytes()
    if not fits(value):
        raise CommandError(f"{path} is empty, or too large for a record", code=USAGE)
    return value


def _left_alone(chosen: Sequence["DeadLetter"], sent: Sequence["DeadLetter"]) -> str:
    left = len(chosen) - len(sent)
    return f"; {left} replayed or dropped before left alone (--again sends them too)" if left else ""


def _who(by: str | None) -> str:
    return by or getpass.getuser()


def _as_json(letter: "DeadLetter") -> dict[str, Any]:
    return {"place": letter.place, "state": letter.state, **asdict(letter)}


def _age(letter: "DeadLetter") -> str:
    age = datetime.now(UTC) - letter.rejected_at
    return str(timedelta(seconds=int(age.total_seconds())))


def _text(data: bytes) -> str:
    from runtime.logs import redact

    return redact(data.decode(errors="backslashreplace"))


def _pretty(value: bytes) -> str:
    """JSON indented, anything else as text with its odd bytes escaped; what looks like a key is replaced."""
    from runtime.logs import redact

    try:
        return redact(json.dumps(json.loads(value), indent=2, ensure_ascii=False))
    except ValueError:
        return _text(value)
