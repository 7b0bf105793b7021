"""The end of a process that a fault ended."""

import logging
import os

from pipeline.errors import PipelineError
from runtime.logs import get_logger

log = get_logger(__name__)

ENDED = 1
"""Exit code of a process that a fault ended; its supervisor starts it again, from PostgreSQL."""


def end_process(error: BaseException) -> None:
    """Say why, and end at once: whatever is open is rolled back by PostgreSQL, nothing is acknowledged on the way.

    Never returns; callers raise after it, so that nothing goes on where a test put another ending in its place.
    """
    if isinstance(error, PipelineError):
        log.critical("ended", kind=type(error).__name__, reason=str(error))
    else:
        log.critical("ended by a fault that nobody expected", exc_info=error)
    logging.shutdown()
    os._exit(ENDED)
