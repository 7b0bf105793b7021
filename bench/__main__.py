"""`python -m bench [NAME] [--json] [--full]`: run every benchmark, or one. Exit code 1 if a goal is missed."""

import argparse
import os
import pkgutil
import sys
from importlib import import_module

import bench.benchmarks
from bench.measurement import Measurement
from bench.servers import Servers, choose_servers


def names() -> list[str]:
    """The benchmarks there are."""
    return sorted(module.name for module in pkgutil.iter_modules(bench.benchmarks.__path__))


def run(name: str, servers: Servers, *, quiet: bool) -> Measurement:
    """Run one benchmark; unless quiet, what it does is told as it does it."""
    module = import_module(f"bench.benchmarks.{name}")
    measurement: Measurement = module.run(servers, _silent if quiet else _tell)
    return measurement


def _tell(line: str) -> None:
    sys.stderr.write(f"  … {line}\n")


def _silent(_: str) -> None:
    """JSON is for a program: nothing beside it."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure, and compare with the goal.")
    parser.add_argument("name", nargs="?", choices=names(), help="one benchmark; all without it")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of tables")
    parser.add_argument("--full", action="store_true", help="the whole size where a benchmark has a smaller one")
    options = parser.parse_args()
    if options.full:
        os.environ["DROPFIX_BENCH_FULL"] = "1"
    held = True
    with choose_servers(_silent if options.json else _tell) as servers:
        for name in [options.name] if options.name else names():
            measurement = run(name, servers, quiet=options.json)
            print(measurement.encode() if options.json else measurement.table(), flush=True)
            held = held and measurement.holds
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
