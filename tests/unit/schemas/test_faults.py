"""What is said of a value that a model refuses."""

import pytest
from pydantic import ValidationError

from schemas.events.identity import IdentityMatch
from schemas.faults import faults_of


def refused(value: bytes) -> str:
    with pytest.raises(ValidationError) as caught:
        IdentityMatch.model_validate_json(value)
    return faults_of(caught.value)


def test_each_fault_is_told_by_its_field() -> None:
    said = refused(b"{}")
    assert said.startswith("workspace_id: Field required; connection_id: Field required; ")
    assert not set("{['") & set(said)


def test_what_is_no_json_is_told_without_its_bytes() -> None:
    said = refused(b'{"secret": rk_live_1}')
    assert said.startswith("Invalid JSON: ")
    assert "rk_live" not in said
