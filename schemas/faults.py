"""What is wrong with a value that a model refused, in a line for people, which has nothing of the value itself."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError


def faults_of(error: ValidationError) -> str:
    """`field: what is wrong`, one after the other."""
    return "; ".join(_told(fault) for fault in error.errors(include_url=False, include_input=False))


def _told(fault: Mapping[str, Any]) -> str:
    where = ".".join(str(step) for step in fault["loc"])
    message = str(fault["msg"]).removeprefix("Value error, ")
    return f"{where}: {message}" if where else message
