"""The contracts of the topics as documents: JSON Schema per value and per headers, one AsyncAPI 3 document."""

from typing import Any

from schemas.catalogue import TOPICS, Topic
from schemas.envelope import CHANGES

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
