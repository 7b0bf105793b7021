"""Kafka's Maven artifacts: pinned by SHA-256, fetched by jgo, kept in the cache.

`kafka.lock` has one artifact a line: `group:artifact:version sha256`. Nothing that is not in it is run, and nothing
in it is run whose bytes are others. `python -m deploy.embedded.artifacts` resolves the coordinates anew and
writes the file.
"""

import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from deploy.embedded.errors import ArtifactError, HashMismatch

LOCK_FILE = Path(__file__).with_name("kafka.lock")
COORDINATES = (
    "org.apache.kafka:kafka_2.13:4.3.1",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4",  # without it the broker logs nothing
)
PARALLEL_DOWNLOADS = 8

Progress = Callable[[int, int], None]
"""Called with how many artifacts are there and how many there will be; what it raises ends the fetching."""


@dataclass(frozen=True, slots=True, order=True)
class Pin:
    """One artifact and the hash of its bytes."""

    coordinate: str
    sha256: str

    @property
    def file(self) -> str:
        """Its path in a Maven repository."""
        group, artifact, version = self.coordinate.split(":")
        return f"{group.replace('.', '/')}/{artifact}/{version}/{artifact}-{version}.jar"


def read_pins(path: Path = LOCK_FILE) -> tuple[Pin, ...]:
    """The pinned artifacts in the order of the class path."""
    lines = (line.strip() for line in path.read_text().splitlines())
    return tuple(Pin(*line.split()) for line in lines if line and not line.startswith("#"))


def ensure_artifacts(repository: Path, *, pins: Sequence[Pin], progress: Progress = lambda _, __: None) -> list[Path]:
    """Have every pinned artifact in `repository` with the bytes that were pinned; returns their files in order.

    Raises ArtifactError where one cannot be fetched, HashMismatch where one is another.
    """
    files = [repository / pin.file for pin in pins]
    missing = [pin for pin, file in zip(pins, files, strict=True) if not file.exists()]
    if missing:
        _fetch_all(repository, missing, already=len(pins) - len(missing), progress=progress)
    for pin, file in zip(pins, files, strict=True):
        _verify(pin, file)
    return files


def _fetch_all(repository: Path, missing: Sequence[Pin], *, already: int, progress: Progress) -> None:
    total, done = already + len(missing), already
    progress(done, total)
    try:
        with _downloads() as pool:
            for future in as_completed([pool.submit(_fetch, repository, pin) for pin in missing]):
                future.result()
                done += 1
                progress(done, total)
    except (OSError, RuntimeError) as error:  # requests' exceptions are OSErrors
        raise ArtifactError(
            f"Apache Kafka could not be fetched into {repository}: {_first_line(error)}. The first start needs a "
            "Maven repository: check the network and its proxy settings, name a mirror in jgo's settings, "
            "or set KAFKA_BOOTSTRAP_SERVERS to a Kafka that is there"
        ) from error


@contextmanager
def _downloads() -> Iterator[ThreadPoolExecutor]:
    """A pool that gives up what it has not begun when something goes wrong, also at a Ctrl-C."""
    with ThreadPoolExecutor(PARALLEL_DOWNLOADS) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _fetch(repository: Path, pin: Pin) -> None:
    """Download into a folder beside, verify, then move: the cache only ever holds whole and right files."""
    target = repository / pin.file
    target.parent.mkdir(parents=True, exist_ok=True)
    group, artifact, version = pin.coordinate.split(":")
    with TemporaryDirectory(dir=repository, prefix=".incoming-") as beside:
        _maven(Path(beside)).project(group, artifact).at_version(version).artifact().resolve()
        fetched = Path(beside) / pin.file
        _verify(pin, fetched)
        fetched.replace(target)


def _verify(pin: Pin, file: Path) -> None:
    actual = _sha256(file)
    if actual != pin.sha256:
        file.unlink(missing_ok=True)
        raise HashMismatch(
            f"{file.name} is not the artifact that was pinned: expected SHA-256 {pin.sha256}, got {actual}. "
            "It was removed; start again to fetch it anew, and mistrust the repository if it happens again"
        )


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _maven(repository: Path) -> Any:
    """jgo with the user's own repositories (a mirror) before the public one."""
    from jgo.config import GlobalSettings
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.maven import MavenContext

    repositories = {**GlobalSettings.load().repositories, "central": MAVEN_CENTRAL_URL}
    return MavenContext(repo_cache=repository, remote_repos=repositories)


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def resolve_pins(repository: Path, coordinates: Iterable[str] = COORDINATES) -> list[Pin]:
    """What the coordinates need at run time, resolved and hashed anew: the content of `kafka.lock`.

    Each is resolved by itself, and the first that names an artifact decides its version.
    """
    from jgo.parse import Coordinate

    maven = _maven(repository)
    pins: dict[tuple[str, str], Pin] = {}
    for coordinate in coordinates:
        inputs, transitive = maven.resolver.resolve([maven.create_dependency(Coordinate.parse(coordinate))])
        for found in (*inputs, *(other for other in transitive if other.scope in ("compile", "runtime"))):
            name = f"{found.groupId}:{found.artifactId}:{found.version}"
            if (found.groupId, found.artifactId) not in pins:
                pins[found.groupId, found.artifactId] = Pin(name, _sha256(found.artifact.resolve()))
    return list(pins.values())


def main() -> None:
    """Write `kafka.lock` from the coordinates."""
    from deploy.embedded.places import cache_dir

    pins = resolve_pins(cache_dir() / "lock")
    header = f"# What {' and '.join(COORDINATES)} need, by SHA-256. Made by `python -m deploy.embedded.artifacts`.\n"
    LOCK_FILE.write_text(header + "".join(f"{pin.coordinate} {pin.sha256}\n" for pin in pins))
    sys.stdout.write(f"{len(pins)} artifacts pinned in {LOCK_FILE.name}\n")


if __name__ == "__main__":
    main()
