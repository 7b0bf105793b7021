"""What is generated is checked in; what is incompatible is refused."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from schemas.catalogue import TOPICS
from schemas.compatibility import GOLDEN, RELEASED, breaks, faults, unreadable
from schemas.contracts import asyncapi, json_schema
from schemas.generate import GENERATED, stale, write


def _object(required: list[str] | None = None, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required or []}


TEXT, NUMBER = {"type": "string"}, {"type": "integer"}


def test_the_checked_in_contracts_are_what_the_models_say() -> None:
    assert stale() == []


def test_a_stale_contract_is_noticed(tmp_path: Path) -> None:
    write(tmp_path)
    assert stale(tmp_path) == []
    (tmp_path / GENERATED / "churn.signal.v1.json").write_text("{}")
    (tmp_path / GENERATED / "gone.v1.json").write_text("{}")
    assert stale(tmp_path) == ["schemas/generated/churn.signal.v1.json", "schemas/generated/gone.v1.json"]


def test_the_asyncapi_document_has_every_topic_with_its_partitions() -> None:
    channels = asyncapi()["channels"]
    assert set(channels) == set(TOPICS)
    assert all(channel["bindings"]["kafka"]["partitions"] == 8 for channel in channels.values())


def test_nothing_that_was_released_is_broken() -> None:
    assert list(faults()) == []


def test_every_topic_with_a_model_of_ours_was_released_and_has_a_golden_record() -> None:
    modelled = {topic.name for topic in TOPICS.values() if topic.model is not None}
    assert {path.name.removesuffix(".json") for path in RELEASED.glob("*.json")} == modelled
    assert {path.parent.name for path in GOLDEN.glob("*/*.json")} == modelled


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*/*.json")), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_golden_record_is_read_and_written_as_the_schema_says(path: Path) -> None:
    topic = TOPICS[path.parent.name]
    assert topic.model is not None
    assert unreadable(topic, path.read_bytes()) is None
    written = json.loads(topic.model.model_validate_json(path.read_bytes()).model_dump_json())
    jsonschema.validate(written, json_schema(topic))
    golden = json.loads(path.read_text())
    assert {name: written[name] for name in golden} == golden


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (_object(a=TEXT), _object(), "a: older readers expect it"),
        (_object(a=TEXT), _object(["b"], a=TEXT, b=TEXT), "b: it became required"),
        (_object(a=TEXT), _object(["a"], a=TEXT), "a: it became required"),
        (_object(a=TEXT), _object(a=NUMBER), "older readers do not expect integer"),
        (_object(a={"enum": ["x", "y"]}), _object(a={"enum": ["x"]}), '"y", which is not accepted'),
        (_object(a={"anyOf": [TEXT, {"type": "null"}]}), _object(a=TEXT), "null, which is not accepted"),
        (_object(a={"type": "array", "items": TEXT}), _object(a={"type": "array", "items": NUMBER}), r"a\[\]"),
        (
            {"$defs": {"D": _object(x=TEXT)}, **_object(a={"$ref": "#/$defs/D"})},
            {"$defs": {"D": _object()}, **_object(a={"$ref": "#/$defs/D"})},
            r"a\.x",
        ),
    ],
)
def test_a_change_that_breaks_a_reader_or_a_record_is_refused(
    old: dict[str, Any], new: dict[str, Any], says: str
) -> None:
    found = "\n".join(breaks(old, new))
    assert re.search(says, found), found


def test_an_added_optional_field_is_welcome() -> None:
    assert breaks(_object(["a"], a=TEXT), _object(["a"], a=TEXT, b=NUMBER)) == []
