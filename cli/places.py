"""Where the data of a stack is when nobody says."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from cli.errors import NOT_RUNNING, CommandError
from deploy.embedded.state import StackReport, read_state

if TYPE_CHECKING:
    from runtime.settings import BrokerSettings

DATA_DIR_SETTING = "DROPFIX_DATA_DIR"
KINDS = ("demo", "run")
CLOCK_FILE = "clock.json"


def default_data_dir(kind: str) -> Path:
    """`DROPFIX_DATA_DIR`, else the user's data folder (XDG): the demo and real data never share one."""
    named = os.environ.get(DATA_DIR_SETTING)
    if named:
        return Path(named)
    home = os.environ.get("XDG_DATA_HOME")
    return (Path(home) if home else Path.home() / ".local" / "share") / "dropfix" / kind


def running_stack(data_dir: Path | None) -> tuple[Path, StackReport]:
    """The stack of the folder, or the one that runs in a default folder; raises CommandError where none does."""
    candidates = [data_dir] if data_dir else [default_data_dir(kind) for kind in KINDS]
    for root in candidates:
        report = read_state(root.expanduser().resolve())
        if report is not None and report.runs:
            return root.expanduser().resolve(), report
    where = f"in {data_dir}" if data_dir else "in the default data folders"
    raise CommandError(
        f"no stack of DropFix runs {where}",
        remedy="start one with `dropfix demo` or `dropfix run`, or name its folder with --data-dir",
        code=NOT_RUNNING,
    )


def broker_settings(kafka: str | None, data_dir: Path | None) -> "BrokerSettings":
    """How Kafka is reached: as the command line or the environment says, else that of the stack that runs."""
    from runtime.settings import BrokerSettings, load_settings

    if kafka is None and (data_dir is not None or not os.environ.get("KAFKA_BOOTSTRAP_SERVERS")):
        kafka = running_stack(data_dir)[1].addresses.get("kafka")
    return load_settings(BrokerSettings, **({"kafka_bootstrap_servers": kafka} if kafka else {}))


def clock_setting(data_dir: Path | None) -> str:
    """The clock that the services go by: `DROPFIX_CLOCK`, else the clock file of the stack that runs, if it has one."""
    named = os.environ.get("DROPFIX_CLOCK")
    if named or (data_dir is None and os.environ.get("DATABASE_URL")):
        return named or "real"
    try:
        file = running_stack(data_dir)[0] / CLOCK_FILE
    except CommandError:
        return "real"
    return str(file) if file.exists() else "real"
