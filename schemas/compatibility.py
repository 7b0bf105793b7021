"""Refuse a change of a contract that breaks an older reader or an older record.

    python -m schemas.compatibility       exit 1 with what breaks, and for whom

Each released shape of a topic's value is kept in `schemas/released/`. Going from a released schema to today's,
  * an older record must stay readable: no field may become required, no accepted type or value may be taken away;
  * an older reader must stay able to read: no field that was always written may go, and none may change its type.
What breaks either is a new version of the topic. Golden records in `schemas/golden/` are read by today's models.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from schemas.catalogue import TOPICS, Topic, topic_named
from schemas.contracts import json_schema

RELEASED = Path(__file__).parent / "released"
GOLDEN = Path(__file__).parent / "golden"
Schema = dict[str, Any]


def breaks(old: Schema, new: Schema) -> list[str]:
    """What a change from the old to the new schema breaks; empty where it is compatible."""
    return list(_breaks(old, new, old, new, "value"))


def _breaks(old: Schema, new: Schema, old_root: Schema, new_root: Schema, at: str) -> Iterator[str]:
    old, new = _resolve(old, old_root), _resolve(new, new_root)
    if lost := _variants(old, old_root) - _variants(new, new_root):
        yield f"{at}: older records may be {', '.join(sorted(lost))}, which is not accepted any more"
    if gained := _types(new, new_root) - _types(old, old_root):
        yield f"{at}: older readers do not expect {', '.join(sorted(gained))}"
    yield from _breaks_of_fields(old, new, old_root, new_root, at)
    if isinstance(old.get("items"), dict) and isinstance(new.get("items"), dict):
        yield from _breaks(old["items"], new["items"], old_root, new_root, f"{at}[]")


def _breaks_of_fields(old: Schema, new: Schema, old_root: Schema, new_root: Schema, at: str) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    for name in sorted(before.keys() - after.keys()):
        yield f"{at}.{name}: older readers expect it, and it is gone"
    for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
        yield f"{at}.{name}: it became required, and older records may lack it"
    for name in sorted(before.keys() & after.keys()):
        yield from _breaks(before[name], after[name], old_root, new_root, f"{at}.{name}")


def _resolve(schema: Schema, root: Schema) -> Schema:
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return schema
    target: Any = root
    for step in reference.removeprefix("#/").split("/"):
        target = target[step]
    resolved: Schema = target
    return resolved


def _alternatives(schema: Schema, root: Schema) -> list[Schema]:
    return [_resolve(option, root) for option in schema.get("anyOf", [schema])]


def _types(schema: Schema, root: Schema) -> set[str]:
    return {option["type"] for option in _alternatives(schema, root) if isinstance(option.get("type"), str)}


def _variants(schema: Schema, root: Schema) -> set[str]:
    """Types and enumerated values that the schema accepts."""
    found = _types(schema, root)
    for option in _alternatives(schema, root):
        values = option.get("enum", [option["const"]] if "const" in option else [])
        found |= {json.dumps(value) for value in values}
    return found


def unreadable(topic: Topic, record: bytes) -> str | None:
    """Why today's model does not read a record's value; None where it does."""
    if topic.model is None:
        return None
    try:
        topic.model.model_validate_json(record)
    except ValidationError as error:
        return f"{topic.name}: {error}"
    return None


def faults() -> Iterator[str]:
    """Everything that is incompatible with what was released."""
    for path in sorted(RELEASED.glob("*.json")):
        name = path.name.removesuffix(".json")
        if name not in TOPICS:
            yield f"{name}: the topic was released and is gone from the catalogue"
            continue
        yield from (f"{name}: {fault}" for fault in breaks(json.loads(path.read_text()), json_schema(TOPICS[name])))
    for path in sorted(GOLDEN.glob("*/*.json")):
        if fault := unreadable(topic_named(path.parent.name), path.read_bytes()):
            yield f"golden record {path.name}: {fault}"


def main() -> int:
    """The command; returns its exit code."""
    found = list(faults())
    for fault in found:
        sys.stderr.write(f"{fault}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
