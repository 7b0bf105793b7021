"""How a command ends when it cannot do what was asked.

Exit codes, the same for every command:
  0  done
  1  it could not be done; the message says why and what to do
  2  the command line or the settings are wrong
  3  what was asked about is not there or does not run
  4  a check did not hold
"""

from collections.abc import Iterator
from contextlib import contextmanager

FAILED = 1
USAGE = 2
NOT_RUNNING = 3
CHECK_FAILED = 4


class CommandError(Exception):
    """Ends the command with a message for a person and an exit code for a script."""

    def __init__(self, message: str, *, remedy: str = "", code: int = FAILED) -> None:
        super().__init__(message)
        self.remedy = remedy
        self.code = code


@contextmanager
def pipeline_faults(remedy: str) -> Iterator[None]:
    """What the pipeline raises becomes a CommandError: its messages are for people."""
    from pipeline.errors import PipelineError

    try:
        yield
    except PipelineError as error:
        raise CommandError(str(error), remedy=remedy) from error
