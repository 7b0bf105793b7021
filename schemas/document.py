"""The page for platform teams: every topic, generated from the catalogue."""

from collections.abc import Iterator
from typing import Any

from schemas.catalogue import TOPICS, Topic
from schemas.contracts import header_schema, json_schema

INTRODUCTION = """# Topics

Generated from `schemas/catalogue.py` by `python -m schemas.generate`; the same as one AsyncAPI 3 document is in
`schemas/generated/asyncapi.json`, each value's JSON Schema beside it.

**Names** stand under the deployment's prefix (`DROPFIX_TOPIC_PREFIX`). A breaking change is a new `vN`; a new optional
field is not one, so a reader ignores fields it does not know. **Partition** is murmur2 of the subject
(`ce_partitionkey`), as Kafka's own clients compute it of a key, modulo 8. **Order** holds per topic and subject, never
across topics. **Delivery** is at least once with deterministic ids: a record that comes twice has the same `ce_id`.
**Attributes** are CloudEvents 1.0 in binary mode: headers that start with `ce_`, so that a value stays what it is.
**Simulated time** is in `ce_time`, never in Kafka's own timestamp.
"""


def topics_page() -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, *(_section(topic) for topic in TOPICS.values())]).rstrip() + "\n"


def _section(topic: Topic) -> str:
    kept = "for ever" if topic.retention is None else f"{topic.retention.days} days"
    lines = [
        f"## `{topic.name}`",
        "",
        topic.about,
        "",
        f"Subject: {topic.subject} · key: `{topic.key}` · partitions: {topic.partitions} · kept: {kept}",
        "",
        *_headers(topic),
        *_fields(topic),
    ]
    return "\n".join(lines)


def _headers(topic: Topic) -> Iterator[str]:
    if not topic.stripe_object:
        return
    yield "Headers beside the common ones:"
    yield ""
    for name, schema in header_schema(topic)["properties"].items():
        if name in {"ce_change", "ce_account", "ce_livemode", "ce_observedat", "ce_expanded", "ce_objectversion"}:
            yield f"- `{name}`: {schema.get('description', ' | '.join(schema.get('enum', ['text'])))}"
    yield ""


def _fields(topic: Topic) -> Iterator[str]:
    if topic.model is None:
        yield f"Value: Stripe's {topic.stripe_object} object." if topic.stripe_object else "Value: the original bytes."
        yield ""
        return
    schema = json_schema(topic)
    yield "| field | type | |"
    yield "| --- | --- | --- |"
    for name, field in schema["properties"].items():
        yield f"| `{name}` | {_type(field)} | {field.get('description', '')} |"
    yield ""


def _type(field: dict[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(_type(option) for option in field["anyOf"])
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    if "$ref" in field:
        return str(field["$ref"]).rsplit("/", 1)[1]
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}))}"
    return "time, UTC" if field.get("format") == "date-time" else str(field.get("type", "any"))
