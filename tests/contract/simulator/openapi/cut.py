"""Cuts what the simulator shows out of Stripe's OpenAPI document, as a JSON Schema.

    python -m tests.contract.simulator.openapi.cut spec3.json

A property that the document does not have is refused, and an expandable field may be its id or one of the objects that
a read-only key can expand; whatever else the document says is kept. `dahlia.schema.json` is the result for 2026-08-26.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Schema = dict[str, Any]

CUT = Path(__file__).with_name("dahlia.schema.json")
OBJECTS = (
    "customer", "deleted_customer", "subscription", "subscription_item", "invoice", "line_item", "invoice_payment",
    "charge", "payment_intent", "dispute", "discount", "coupon", "price", "plan", "refund",
)  # fmt: skip
_PAYMENT = ("card", "us_bank_account", "sepa_debit")
_KEPT = ("type", "enum", "format", "required", "properties", "items", "anyOf", "additionalProperties")


def cut(document: Schema) -> Schema:
    """The schema of `OBJECTS` and whatever they are made of; each is at `#/$defs/<name>`."""
    schemas = document["components"]["schemas"]
    found: Schema = {}
    todo = list(OBJECTS)
    while todo:
        name = todo.pop()
        if name not in found:
            found[name] = _translated(_narrowed(name, schemas.get(name, {})), schemas)
            todo += _references(found[name])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": f"Cut from Stripe's OpenAPI document {document['info']['version']}, MIT licence: see LICENSE here.",
        "$defs": dict(sorted(found.items())),
    }


def _narrowed(name: str, schema: Schema) -> Schema:
    """Of the details of payment methods, those of the methods that are in use."""
    if not name.startswith("payment_") or not schema.get("properties", {}).keys() >= set(_PAYMENT):
        return schema
    kept = {
        field: what
        for field, what in schema["properties"].items()
        if field in _PAYMENT or not list(_references_of_objects(what))
    }
    return {**schema, "properties": kept}


def _references_of_objects(schema: Any) -> Iterator[str]:
    return (name for name in _references(schema, key="#/components/schemas/") if name.startswith("payment_"))


def _translated(schema: Schema, schemas: Schema) -> Schema:
    """OpenAPI's dialect as JSON Schema's: null, references, and no property but those named."""
    if "$ref" in schema:
        return {"$ref": f"#/$defs/{schema['$ref'].rpartition('/')[2]}"}
    found = {key: value for key, value in schema.items() if key in _KEPT and key != "format"}
    if "properties" in found:
        found["properties"] = {name: _translated(what, schemas) for name, what in schema["properties"].items()}
        found.setdefault("additionalProperties", False)
    if isinstance(found.get("additionalProperties"), dict):
        found["additionalProperties"] = _translated(found["additionalProperties"], schemas)
    if "items" in found:
        found["items"] = _translated(schema["items"], schemas)
    if "anyOf" in found:
        found["anyOf"] = [_translated(each, schemas) for each in schema["anyOf"] if _shown(each, schemas)]
    return {"anyOf": [found, {"type": "null"}]} if schema.get("nullable") else found


def _shown(schema: Schema, schemas: Schema) -> bool:
    """Whether an alternative is not an object that only other permissions can expand."""
    name = schema.get("$ref", "").rpartition("/")[2]
    return name in OBJECTS or "x-resourceId" not in schemas.get(name, {})


def _references(schema: Any, *, key: str = "#/$defs/") -> Iterator[str]:
    if isinstance(schema, dict):
        for field, value in schema.items():
            if field == "$ref":
                yield value.removeprefix(key)
            else:
                yield from _references(value, key=key)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value, key=key)


if __name__ == "__main__":
    CUT.write_text(json.dumps(cut(json.loads(Path(sys.argv[1]).read_text())), separators=(",", ":")) + "\n")
