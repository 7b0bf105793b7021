"""Write what is published of the contracts: `schemas/generated/` and `docs/topics.md`.

python -m schemas.generate            write them
python -m schemas.generate --check    exit 1 where what is checked in differs from what would be written
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from schemas.catalogue import TOPICS
from schemas.contracts import asyncapi, json_schema
from schemas.document import topics_page

ROOT = Path(__file__).parent.parent
GENERATED = Path("schemas/generated")
TOPICS_PAGE = Path("docs/topics.md")


def documents() -> Iterator[tuple[Path, str]]:
    """(path below the root, content) of everything that is generated."""
    yield TOPICS_PAGE, topics_page()
    yield GENERATED / "asyncapi.json", _render(asyncapi())
    for topic in TOPICS.values():
        if topic.model is not None:
            yield GENERATED / f"{topic.name}.json", _render(json_schema(topic))


def _render(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _found(root: Path) -> dict[Path, str]:
    paths = [root / TOPICS_PAGE, *(root / GENERATED).glob("*.json")]
    return {path.relative_to(root): path.read_text() for path in paths if path.exists()}


def stale(root: Path = ROOT) -> list[str]:
    """Paths of what is missing, differs, or belongs to no topic any more."""
    wanted, found = dict(documents()), _found(root)
    return sorted(str(path) for path in wanted.keys() | found.keys() if wanted.get(path) != found.get(path))


def write(root: Path = ROOT) -> None:
    """Write everything, and remove what belongs to no topic any more."""
    wanted = dict(documents())
    for path in _found(root).keys() - wanted.keys():
        (root / path).unlink()
    for path, content in wanted.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m schemas.generate", description="Write the published contracts.")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    if not parser.parse_args().check:
        write()
        return 0
    if paths := stale():
        sys.stderr.write(f"stale: {', '.join(paths)}; run `python -m schemas.generate`\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
