"""identify() and track() over HTTP: what is acknowledged is in Kafka."""

import gzip
import json
from base64 import b64encode
from typing import Any

import httpx
import pytest

from schemas.catalogue import PRODUCT_IDENTIFY, PRODUCT_TRACK
from schemas.events.product import ProductMessage
from schemas.ids import product_id
from schemas.partition import partition_of
from tests.integration.console.conftest import Company, RunningConsole
from tests.integration.console.reading import read_topic


def send(console: RunningConsole, path: str, body: Any, *, key: str | None, **options: Any) -> httpx.Response:
    return httpx.post(
        f"{console.address}{path}",
        json=body,
        auth=httpx.BasicAuth(key, "") if key else None,
        timeout=30,
        **options,
    )


def test_an_acknowledged_message_is_on_its_topic_under_its_user(console: RunningConsole, company: Company) -> None:
    traits = {"name": "Ada", "email": "ada@example.com", "plan": "Team", "mrr": 49}
    identified = send(console, "/v1/identify", {"userId": "u1", "traits": traits}, key=company.write_key)
    tracked = send(
        console, "/v1/track", {"userId": "u1", "event": "Exported", "messageId": "m1"}, key=company.write_key
    )
    assert (identified.status_code, identified.json()) == (200, {"success": True})
    assert (tracked.status_code, tracked.json()) == (200, {"success": True})
    (one,) = read_topic(console.broker, PRODUCT_IDENTIFY, 1, subject=company.workspace_id)
    (other,) = read_topic(console.broker, PRODUCT_TRACK, 1, subject=company.workspace_id)
    subject = f"{company.workspace_id}/u1"
    assert ProductMessage.model_validate_json(one.value).traits == traits
    assert other.partition == partition_of(subject, PRODUCT_TRACK.partitions)
    assert other.headers["ce_partitionkey"] == subject
    assert other.headers["ce_id"] == product_id(workspace_id=company.workspace_id, message_id="m1")


def test_nothing_is_acknowledged_that_kafka_does_not_have(own_console: RunningConsole) -> None:
    own_console.environment["KAFKA_BOOTSTRAP_SERVERS"] = "127.0.0.1:1"
    own_console.start()
    company = own_console.company()
    answer = send(own_console, "/v1/track", {"userId": "u1", "event": "Exported"}, key=company.write_key)
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "unavailable"
    assert int(answer.headers["retry-after"]) > 0
    assert company.browser.get("/").status_code == 200


def test_a_retry_is_visible_as_the_same_message(console: RunningConsole, company: Company) -> None:
    body = {"userId": "u1", "event": "Exported", "messageId": "m1"}
    for _ in range(2):
        assert send(console, "/v1/track", body, key=company.write_key).status_code == 200
    one, other = read_topic(console.broker, PRODUCT_TRACK, 2, subject=company.workspace_id)
    assert one.headers["ce_id"] == other.headers["ce_id"]
    assert one.key != other.key


@pytest.mark.parametrize("path", ["/v1/track", "/v1/t"])
def test_the_write_key_may_stand_in_the_body(console: RunningConsole, company: Company, path: str) -> None:
    body = {"userId": "u1", "event": "Exported", "writeKey": company.write_key}
    answer = send(console, path, body, key=None)
    assert answer.status_code == 200
    (record,) = read_topic(console.broker, PRODUCT_TRACK, 1, subject=company.workspace_id)
    assert company.write_key.encode() not in record.value


def test_a_batch_is_taken_message_by_message(console: RunningConsole, company: Company) -> None:
    batch = [
        {"type": "identify", "userId": "u1", "traits": {"plan": "Team"}},
        {"type": "track", "userId": "u1"},
        *({"type": "track", "userId": f"u{number}", "event": "Exported"} for number in range(20)),
    ]
    answer = send(console, "/v1/batch", {"batch": batch}, key=company.write_key)
    assert answer.status_code == 200
    assert answer.json()["accepted"] == 21
    assert [(each["index"], each["error"]["code"]) for each in answer.json()["rejected"]] == [(1, "missing_field")]
    assert len(read_topic(console.broker, PRODUCT_TRACK, 20, subject=company.workspace_id)) == 20
    assert len(read_topic(console.broker, PRODUCT_IDENTIFY, 1, subject=company.workspace_id)) == 1


def test_a_compressed_batch_is_taken(console: RunningConsole, company: Company) -> None:
    body = gzip.compress(json.dumps({"batch": [{"type": "track", "userId": "u", "event": "e"}]}).encode())
    answer = httpx.post(
        f"{console.address}/v1/batch",
        content=body,
        headers={"Content-Encoding": "gzip"},
        auth=httpx.BasicAuth(company.write_key, ""),
    )
    assert answer.status_code == 200


@pytest.mark.parametrize("key", [None, "wk_made_up", "wk_\0"])
def test_without_a_known_write_key_nothing_is_taken(console: RunningConsole, company: Company, key: str | None) -> None:
    answer = send(console, "/v1/track", {"userId": "u", "event": "e"}, key=key)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "wrong_write_key")


def test_a_revoked_write_key_is_refused(console: RunningConsole, company: Company) -> None:
    (write_key_id,) = console.rows(
        "SELECT write_key_id FROM control.write_keys WHERE workspace_id = %s", company.workspace_id
    )[0]
    assert send(console, "/v1/track", {"userId": "u", "event": "e"}, key=company.write_key).status_code == 200
    company.browser.send("/settings/tracking", f"/settings/tracking/keys/{write_key_id}/revoke", {})
    assert send(console, "/v1/track", {"userId": "u", "event": "e"}, key=company.write_key).status_code == 401


def test_a_new_write_key_is_shown_once_and_works(console: RunningConsole, company: Company) -> None:
    page = company.browser.send("/settings/tracking", "/settings/tracking/keys", {}).text
    key = page.partition('value="wk_')[2].partition('"')[0]
    assert send(console, "/v1/track", {"userId": "u", "event": "e"}, key=f"wk_{key}").status_code == 200
    again = company.browser.get("/settings/tracking").text
    assert key not in again
    assert f"wk_…{key[-4:]}" in again


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 400, "bad_json"),
        (b"{", 400, "bad_json"),
        (b"[]", 400, "bad_json"),
        (b"\xff\xfe", 400, "bad_json"),
        (b'{"userId": "u", "event": "e", "properties": {"x": "' + b"y" * 40_000 + b'"}}', 413, "too_large"),
        (b'{"batch": ["' + b"y" * 510_000 + b'"]}', 413, "too_large"),
        (b"x" * 700_000, 413, "too_large"),
    ],
)
def test_bad_input_gets_a_clear_answer(
    console: RunningConsole, company: Company, content: bytes, status: int, code: str
) -> None:
    basic = b64encode(f"{company.write_key}:".encode()).decode()
    headers = {"Authorization": f"Basic {basic}"}
    answer = httpx.post(f"{console.address}/v1/track", content=content, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["message"]


def test_a_web_page_of_any_site_may_send(console: RunningConsole, company: Company) -> None:
    asked = httpx.options(f"{console.address}/v1/t", headers={"Origin": "https://app.example.com"})
    assert asked.headers["access-control-allow-origin"] == "*"
    sent = send(console, "/v1/t", {"userId": "u", "event": "e"}, key=company.write_key)
    refused = send(console, "/v1/t", {"userId": "u"}, key=company.write_key)
    assert sent.headers["access-control-allow-origin"] == refused.headers["access-control-allow-origin"] == "*"


def test_an_address_that_is_none_says_so(console: RunningConsole, company: Company) -> None:
    assert send(console, "/v1/nonsense", {}, key=company.write_key).json()["error"]["code"] == "not_found"
