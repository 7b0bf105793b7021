"""`dropfix rebuild`: a service's tables made anew from the topics, compared with the live ones, put in their place."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from cli.database import DatabaseUrl, DataDir, database_address, database_faults
from cli.errors import CHECK_FAILED, USAGE, CommandError, pipeline_faults
from cli.output import done, out, print_json, progress, step, suggest
from cli.places import broker_settings, clock_setting
from cli.services import all_services, service_named

if TYPE_CHECKING:
    from pipeline.rebuild.compare import Difference, TableResult
    from pipeline.rebuild.plan import Plan
    from pipeline.rebuild.shadow import Rebuild
    from pipeline.replay import ReplayProgress


Rebuilt = Annotated[str, typer.Argument(help="mirror, mrr or detector.")]
Verify = Annotated[bool, typer.Option("--verify", help="Compare row by row; exit code 4 where rows differ.")]
Swap = Annotated[
    bool, typer.Option("--swap", help="Verify, then put the rebuilt tables in the place of the live ones.")
]
AsCorrection = Annotated[
    bool,
    typer.Option("--as-correction", help="Swap although rows differ: what was published stays, the rest follows."),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the tables of the rebuild before.")]
Discard = Annotated[bool, typer.Option("--discard", help="Only remove what rebuilds and swaps before have left.")]
Kafka = Annotated[
    str | None, typer.Option("--kafka", help="Brokers; else KAFKA_BOOTSTRAP_SERVERS, else the stack that runs.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def add_to(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(rebuild)


def rebuild(
    service: Rebuilt,
    verify: Verify = False,
    swap: Swap = False,
    as_correction: AsCorrection = False,
    resume: Resume = False,
    discard: Discard = False,
    database_url: DatabaseUrl = None,
    kafka: Kafka = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Make a service's tables anew from the topics, beside the live ones, while the service runs."""
    if as_correction and not swap:
        raise CommandError("--as-correction says how to swap", remedy="add --swap", code=USAGE)
    plan = _plan_of(service)
    work = _rebuild_of(plan, database_url, kafka, data_dir)
    with _at_work(work) as watched:
        if discard:
            watched.discard()
            done(f"what rebuilds of {service} have left is removed")
            return
        filled = _fill(watched, resume=resume)
        results = watched.verify() if verify or swap else ()
        equal = all(result.different == 0 for result in results)
        swapped = swap and (equal or as_correction)
        if swapped:
            watched.swap(as_correction=not equal)
    _tell(service, filled, results, swapped=swapped, as_json=as_json)
    if not equal and not swapped:
        raise CommandError(
            f"the rebuilt tables of {service} differ from the live ones",
            remedy="the live tables are as they were; docs/running.md says what to do about it",
            code=CHECK_FAILED,
        )


@contextmanager
def _at_work(work: "Rebuild") -> Iterator["Rebuild"]:
    """The one rebuild of its service, watched; what goes wrong ends in one message."""
    with (
        database_faults(),
        pipeline_faults("the live tables are as they were"),
        work.alone(),
        _watched(work) as watched,
    ):
        yield watched


def _plan_of(name: str) -> "Plan":
    plan = service_named(name).rebuild()
    if plan is None:
        names = ", ".join(service.name for service in all_services() if service.rebuild() is not None)
        raise CommandError(f"{name} cannot be rebuilt from the topics", remedy=f"there are {names}", code=USAGE)
    return plan


def _rebuild_of(plan: "Plan", database_url: str | None, kafka: str | None, data_dir: Path | None) -> "Rebuild":
    from pipeline.rebuild.hands import cores
    from pipeline.rebuild.shadow import Rebuild
    from runtime.clock import clock_from
    from runtime.kafka import Broker

    broker = Broker.of(broker_settings(kafka, data_dir))
    clock = clock_from(clock_setting(data_dir))
    return Rebuild(plan, database_address(database_url, data_dir), broker, clock.now, hands=cores())


@contextmanager
def _watched(work: "Rebuild") -> Iterator["Rebuild"]:
    """The rebuild with a bar on standard error: how far, and how many records a second."""
    from dataclasses import replace

    columns = ("{task.description}", "{task.completed:,.0f} of {task.total:,.0f} records", "{task.fields[rate]}")
    with Progress(
        TextColumn(columns[0]),
        BarColumn(),
        TextColumn(columns[1]),
        TextColumn(columns[2]),
        TimeElapsedColumn(),
        console=progress,
        transient=True,
    ) as bar:
        task = bar.add_task(f"reading for {work.plan.live}", total=0, rate="")

        def progressed(told: "ReplayProgress") -> None:
            rate = f"{told.records / told.seconds:,.0f}/s" if told.seconds else ""
            bar.update(task, completed=told.records, total=told.total, rate=rate)

        yield replace(work, progressed=progressed)


def _fill(work: "Rebuild", *, resume: bool) -> "ReplayProgress":
    if not (resume and work.exists()):
        step(f"making {work.plan.shadow}")
        work.make()
    told = work.catch_up()
    rate = f", {told.records / told.seconds:,.0f} a second" if told.seconds and told.records else ""
    done(f"{told.records:,} records in {told.seconds:.1f} s{rate}")
    return told


def _tell(
    service: str, told: "ReplayProgress", results: Sequence["TableResult"], *, swapped: bool, as_json: bool
) -> None:
    if as_json:
        tables = [asdict(result) for result in results]
        print_json({"service": service, **asdict(told), "tables": tables, "swapped": swapped})
        return
    for result in results:
        _print(result)
    if swapped:
        done(f"{service} works on the rebuilt tables; those before are in {service}_old until the next rebuild")
    elif not results:
        suggest(f"compare with `dropfix rebuild {service} --resume --verify`")
    elif all(result.different == 0 for result in results):
        done("every row is equal")


def _print(result: "TableResult") -> None:
    colour = "red" if result.different else "green"
    out.print(
        f"{result.table:<16} {result.live_rows:>10,} live  {result.rebuilt_rows:>10,} rebuilt"
        f"  {result.equal:>10,} equal  [{colour}]{result.different:,} different[/]"
    )
    for difference in result.first:
        out.print(f"  {escape(_described(difference))}")


def _described(difference: "Difference") -> str:
    live, rebuilt = difference.live, difference.rebuilt
    if live is None or rebuilt is None:
        return f"only {'rebuilt' if live is None else 'live'}: {_short(live or rebuilt or {})}"
    named = {column: value for column, value in live.items() if column.endswith("_id") and column != "workspace_id"}
    changes = (f"{column}: live {live[column]!r}, rebuilt {rebuilt[column]!r}" for column in difference.columns)
    return f"{_short(named)}  {'; '.join(changes)}"


def _short(row: Any) -> str:
    return ", ".join(f"{column} {value}" for column, value in row.items() if value is not None)[:300]
