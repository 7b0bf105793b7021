"""Logs are JSON lines, and no secret gets through them."""

import json
import subprocess
import sys

import pytest

from runtime.logs import redact

SECRETS = [
    "rk_live_51HxAbCdEf0123456789",
    "rk_test_0123abc",
    "sk_live_51abc",
    "sk_test_abc",
    "pk_live_abc",
    "sk_org_abc",
    "rkcs_test_abc",
    "whsec_abcdef",
    "dropfix-private-AAAABBBB==",
    "hunter2pw",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_masked_wherever_it_stands(secret: str) -> None:
    address = f"postgresql://dropfix:{secret}@db/x"
    for text in (
        (address,) if secret == "hunter2pw" else (secret, f"bad key '{secret}'.", f'{{"k": "{secret}"}}', address)
    ):
        assert secret not in redact(text)


def test_an_ordinary_text_is_left_alone() -> None:
    text = "con_1/cus_1 paid 49.00 usd at http://127.0.0.1:8000/v1/charges; task_live_1 went on"
    assert redact(text) == text


def test_every_line_is_json_with_the_service_and_without_the_key_even_in_an_exception() -> None:
    script = (
        "import logging\n"
        "from runtime.logs import configure_logs, get_logger\n"
        "configure_logs(service='poller')\n"
        "get_logger('x').info('connected', key='rk_test_SECRET1')\n"
        "logging.getLogger('lib').warning('Invalid API Key provided: %s', 'sk_live_SECRET2')\n"
        "try:\n    raise ValueError('whsec_SECRET3')\n"
        "except ValueError:\n    get_logger('x').exception('failed')\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in ran.stderr.splitlines()]
    assert lines[0]["event"] == "connected"
    assert len(lines) == 3
    assert {line["service"] for line in lines} == {"poller"}
    assert "SECRET" not in ran.stderr
    assert "ValueError" in lines[2]["exception"]
