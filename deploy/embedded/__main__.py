"""`python -m deploy.embedded DATA_DIR [--while-held LOCK]`: the servers alone, without the services.

With `--while-held`, the servers run for as long as any process holds a shared lock (flock) on that file, and no
longer: the tests' workers share one stack so, and it ends with the last of them, however they end.
"""

import argparse
import asyncio
import contextlib
import fcntl
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from deploy.embedded.errors import EmbeddedError
from deploy.embedded.stack import EmbeddedStack

LOOK_SECONDS = 1.0


async def serve(data_dir: Path, stop_when: Callable[[], bool]) -> None:
    """Run the servers until a signal comes or `stop_when` says so."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for which in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(which, stopping.set)
    async with EmbeddedStack(data_dir, tell=_print):
        while not stopping.is_set() and not stop_when():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), LOOK_SECONDS)


def _print(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.embedded")
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--while-held", type=Path, metavar="LOCK")
    options = parser.parse_args()
    with contextlib.ExitStack() as resources:
        lock = resources.enter_context(options.while_held.open("a")) if options.while_held else None
        try:
            asyncio.run(serve(options.data_dir, lambda: lock is not None and _nobody_holds(lock.fileno())))
        except EmbeddedError as error:
            _print(str(error))
            return 1
    return 0


def _nobody_holds(lock: int) -> bool:
    """Take the lock alone if nobody shares it; it is then kept until this process ends, so that a newcomer waits."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
