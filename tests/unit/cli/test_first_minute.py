"""What `demo --check` calls true."""

import json

import pytest

from cli.first_minute import LIMIT_SECONDS, Condition, Expected, show

TRUTH = {
    "at": 1_800_000_000,
    "customers": 298,
    "mrr": {"usd": 1_117_359, "jpy": 75_060},
    "signals": {
        "payment_failed": [{"customer": "cus_1"}, {"customer": "cus_2"}, {"customer": "cus_1"}],
        "subscription_lapsed": [],
    },
}


def condition(*, shown: str = "298", truth: str = "298", seconds: float = 3.0) -> Condition:
    return Condition("tracked users", shown, truth, shown == truth, seconds)


def test_the_truth_counts_signals_by_customer() -> None:
    expected = Expected.of(TRUTH)
    assert expected.signals["payment_failed"] == {"cus_1": 2, "cus_2": 1}
    assert expected.signals["subscription_lapsed"] == {}
    assert expected.mrr == {"usd": 1_117_359, "jpy": 75_060}


def test_a_condition_holds_only_if_it_is_true_in_time() -> None:
    assert condition().holds
    assert not condition(shown="297").holds
    assert not condition(seconds=LIMIT_SECONDS + 0.1).holds


def test_what_does_not_hold_is_shown_beside_the_truth(capsys: pytest.CaptureFixture[str]) -> None:
    show([condition(), condition(shown="297"), condition(seconds=99)], as_json=False)
    printed = capsys.readouterr().out
    assert printed.count("✓") == 1
    assert printed.count("✗") == 2
    assert "the truth is" in printed
    assert "later than the 60 s that were promised" in printed


def test_a_script_reads_whether_each_condition_holds(capsys: pytest.CaptureFixture[str]) -> None:
    show([condition(), condition(shown="297")], as_json=True)
    assert [one["holds"] for one in json.loads(capsys.readouterr().out)] == [True, False]
