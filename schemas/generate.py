"""Generate the published contracts: JSON Schema per topic and one AsyncAPI 3 document.

python -m schemas.generate            write schemas/generated/
python -m schemas.generate --check    exit 1 where what is checked in differs from what would be written
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from schemas.catalogue import TOPICS, Topic
from schemas.envelope import CHANGES

GENERATED = Path(__file__).parent / "generated"
ASYNCAPI = "asyncapi.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TEXT = {"type": "string"}
_TIME = {"type": "string", "format": "date-time"}


def json_schema(topic: Topic) -> dict[str, Any]:
    """The JSON Schema of a topic's value as it is written."""
    if topic.model is None:
        owner = f"Stripe's {topic.stripe_object} object, byte for byte" if topic.stripe_object else "Original bytes"
        return {"$schema": DIALECT, "title": topic.name, "description": f"{owner}. {topic.about}"}
    schema = topic.model.model_json_schema(mode="serialization")
    return {"$schema": DIALECT, **schema, "title": f"{topic.name}: {schema['title']}"}


def header_schema(topic: Topic) -> dict[str, Any]:
    """The JSON Schema of a topic's CloudEvents headers."""
    properties: dict[str, Any] = {
        "ce_specversion": {"const": "1.0"},
        "ce_id": _TEXT | {"description": "Deterministic: publishing twice is visible as one."},
        "ce_source": _TEXT,
        "ce_type": {"const": topic.name},
        "ce_time": _TIME,
        "ce_subject": _TEXT | {"description": "What the record is about: an object's id."},
        "ce_partitionkey": _TEXT | {"description": f"The unit of order: {topic.subject}."},
        "ce_workspaceid": _TEXT,
    }
    required = list(properties)
    properties["ce_connectionid"] = _TEXT
    if topic.stripe_object:
        properties |= {
            "ce_change": {"enum": list(CHANGES)},
            "ce_account": _TEXT,
            "ce_livemode": {"enum": ["true", "false"]},
            "ce_observedat": _TIME | {"description": "When the request was made."},
            "ce_expanded": _TEXT | {"description": "Comma-separated: what the read asked Stripe to expand."},
            "ce_objectversion": {"type": "string", "pattern": "^[0-9]+$", "description": "Only grows for an object."},
        }
        required += ["ce_connectionid", "ce_change", "ce_livemode", "ce_observedat", "ce_objectversion"]
    return {"type": "object", "properties": properties, "required": required}


def asyncapi() -> dict[str, Any]:
    """All topics as one AsyncAPI 3 document."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "DropFix",
            "version": "1",
            "description": "Churn signals, exact MRR and dunning from a read-only Stripe key. "
            "A breaking change of a topic is a new vN; older records stay readable for ever.",
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in TOPICS.values()},
        "operations": {
            f"read.{topic.name}": {"action": "receive", "channel": {"$ref": f"#/channels/{topic.name}"}}
            for topic in TOPICS.values()
        },
    }


def _channel(topic: Topic) -> dict[str, Any]:
    kept = "for ever" if topic.retention is None else f"{topic.retention.days} days"
    return {
        "address": topic.name,
        "description": f"{topic.about} Key: {topic.key}. Partition: murmur2 of {topic.subject}. Kept {kept}.",
        "bindings": {
            "kafka": {
                "partitions": topic.partitions,
                "topicConfiguration": _topic_configuration(topic),
                "bindingVersion": "0.5.0",
            }
        },
        "messages": {
            "record": {
                "name": topic.name,
                "headers": header_schema(topic),
                "payload": {"schemaFormat": f"application/schema+json;version={DIALECT}", "schema": json_schema(topic)},
                "bindings": {"kafka": {"key": {"type": "string", "description": topic.key}}},
            }
        },
    }


def _topic_configuration(topic: Topic) -> dict[str, Any]:
    config = topic.config()
    shown: dict[str, Any] = {"cleanup.policy": [config["cleanup.policy"]]}
    if "retention.ms" in config:
        shown["retention.ms"] = int(config["retention.ms"])
    return shown


def documents() -> Iterator[tuple[str, str]]:
    """(file name, content) of everything that is generated."""
    yield ASYNCAPI, _render(asyncapi())
    for topic in TOPICS.values():
        if topic.model is not None:
            yield f"{topic.name}.json", _render(json_schema(topic))


def _render(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def stale(folder: Path = GENERATED) -> list[str]:
    """Names of files that are missing, differ, or belong to no topic any more."""
    wanted = dict(documents())
    found = {path.name: path.read_text() for path in folder.glob("*.json")}
    return sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))


def write(folder: Path = GENERATED) -> None:
    """Write everything, and remove what belongs to no topic any more."""
    folder.mkdir(exist_ok=True)
    wanted = dict(documents())
    for path in folder.glob("*.json"):
        if path.name not in wanted:
            path.unlink()
    for name, content in wanted.items():
        (folder / name).write_text(content)


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m schemas.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    if not parser.parse_args().check:
        write()
        return 0
    if names := stale():
        sys.stderr.write(f"stale in {GENERATED.name}/: {', '.join(names)}; run `python -m schemas.generate`\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
