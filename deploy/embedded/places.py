"""Where the stack keeps things: the data folder of one stack, and the cache that all share."""

import os
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.errors import MissingPrerequisite

CACHE_SETTING = "DROPFIX_CACHE_DIR"


@dataclass(frozen=True, slots=True)
class DataDir:
    """The layout of a data folder."""

    root: Path

    @property
    def lock(self) -> Path:
        """Held by the supervisor for as long as it lives."""
        return self.root / "lock"

    @property
    def state(self) -> Path:
        """Addresses, processes and their state, for whoever asks."""
        return self.root / "state.json"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def kafka(self) -> Path:
        return self.root / "kafka"

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def mail(self) -> Path:
        return self.root / "mail"

    @property
    def secrets(self) -> Path:
        """Files with mode 0600 in a folder with mode 0700."""
        return self.root / "secrets"

    @classmethod
    def prepare(cls, root: Path) -> "DataDir":
        """Make the folder and what is in it; raises MissingPrerequisite where that is not allowed."""
        data = cls(root.expanduser().resolve())
        try:
            data.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            for folder in (data.logs, data.secrets):
                folder.mkdir(exist_ok=True, mode=0o700)
            probe = data.root / f".writable.{os.getpid()}"
            probe.touch()
            probe.unlink()
        except (FileExistsError, NotADirectoryError) as error:
            file = next(path for path in (data.root, *data.root.parents) if path.exists() and not path.is_dir())
            raise MissingPrerequisite(
                f"the data folder {data.root} cannot be made: {file} is a file; "
                "give another folder with --data-dir, or move the file away"
            ) from error
        except OSError as error:
            raise MissingPrerequisite(
                f"the data folder {data.root} cannot be written ({error.strerror}); "
                "give another one with --data-dir, or make it yours"
            ) from error
        return data


def cache_dir() -> Path:
    """The cache that data folders share: `DROPFIX_CACHE_DIR`, else the user's cache folder (XDG)."""
    named = os.environ.get(CACHE_SETTING)
    if named:
        return Path(named).expanduser()
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "dropfix"


def write_whole(path: Path, content: str, *, mode: int = 0o600) -> None:
    """Replace a file whole, so that no reader sees half of it; `mode` holds from the first byte."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(content)
    beside.replace(path)
