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
from threading import Event, Thread

from deploy.embedded.errors import EmbeddedError
from deploy.embedded.stack import EmbeddedStack


async def serve(data_dir: Path, *, while_held: Path | None) -> None:
    """Run the servers until SIGTERM or SIGINT comes, which ends a start as well, or nobody holds the lock."""
    loop, task, stopping = asyncio.get_running_loop(), asyncio.current_task(), Event()

    def stop() -> None:
        if task is not None and not stopping.is_set():  # a second one would cut the stopping short
            stopping.set()
            task.cancel()

    for which in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(which, stop)
    with contextlib.suppress(asyncio.CancelledError):
        async with EmbeddedStack(data_dir, tell=_print):
            if while_held is not None:
                _when_free(while_held, lambda: loop.call_soon_threadsafe(stop))
            await asyncio.Event().wait()


def _when_free(lock: Path, then: Callable[[], object]) -> None:
    """Take the lock as soon as nobody shares it; it is kept until this process ends, so that a newcomer waits."""

    def take() -> None:
        with lock.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            then()
            Event().wait()

    Thread(target=take, name="holders", daemon=True).start()


def _print(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.embedded")
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--while-held", type=Path, metavar="LOCK")
    options = parser.parse_args()
    try:
        asyncio.run(serve(options.data_dir, while_held=options.while_held))
    except EmbeddedError as error:
        _print(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
