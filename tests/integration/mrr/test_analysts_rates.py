"""MRR in one currency: rates loaded by the operator, at the command line, on a real PostgreSQL."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from services.mrr.commands import commands
from tests.integration.mrr.tables import Tables
from tests.unit.mrr.build import item, price, subscription
from tests.unit.mrr.feed import WORKSPACE, raw_record
from tests.unit.mrr.story import day


@pytest.fixture
def tables(database_url: str) -> Iterator[Tables]:
    """From the first day 10.00 usd, 20.00 eur and 3000 jpy a month; from the tenth 30.00 eur."""
    made = Tables(database_url, now=datetime(2026, 1, 20, tzinfo=UTC))
    for name, amount, currency, on in (
        ("usd", 1000, "usd", 0),
        ("eur", 2000, "eur", 0),
        ("jpy", 3000, "jpy", 0),
        ("eur", 3000, "eur", 10),
    ):
        of = price(amount, currency=currency)
        obj = subscription(item(of), name=f"sub_{name}", customer=f"cus_{name}", currency=currency)
        made.apply([raw_record("subscription", obj, at=day(on), version=on + 1, change="updated" if on else "created")])
    yield made
    made.close()


def load(tables: Tables, folder: Path, *lines: str) -> Result:
    file = folder / "rates.csv"
    file.write_text("\n".join(("currency,reporting,rate,valid_from", *lines)))
    return CliRunner().invoke(commands, ["rates", "load", str(file)], env={"DATABASE_URL": tables.url})


def reported(tables: Tables) -> list[tuple[Any, ...]]:
    return tables.rows(
        "SELECT mrr_end, expansion, mrr_end_at_rates_of_day FROM analytics.mrr_daily_reported ORDER BY day"
    )


def test_all_days_are_at_the_latest_rates_so_that_a_rate_is_never_an_expansion(tables: Tables, tmp_path: Path) -> None:
    rates = ("eur,usd,1.1,2025-01-01", "eur,usd,1.2,2026-01-15", "jpy,usd,0.0066,2025-01-01")
    loaded = load(tables, tmp_path, *rates)
    assert loaded.exit_code == 0
    assert "no rate" not in loaded.output
    days = reported(tables)
    yen = Decimal("1980")
    assert days[0] == (1000 + 2400 + yen, 0, 1000 + 2200 + yen)
    assert days[10] == (1000 + 3600 + yen, 1200, 1000 + 3300 + yen)
    assert days[14] == (1000 + 3600 + yen, 0, 1000 + 3600 + yen)
    assert [moved for _, moved, _ in days if moved] == [1200]
    assert tables.rows(
        "SELECT count(*) FROM analytics.mrr_daily_reported WHERE mrr_end <>"
        " mrr_start + new + reactivation + expansion - contraction - churn + policy + source + correction"
    ) == [(0,)]


def test_a_currency_without_a_rate_is_named_and_left_out(tables: Tables, tmp_path: Path) -> None:
    assert load(tables, tmp_path, "eur,usd,1.1,2026-01-05").exit_code == 0
    rows = tables.rows(
        "SELECT mrr_end, mrr_end_at_rates_of_day, currencies_without_rate"
        " FROM analytics.mrr_daily_reported ORDER BY day"
    )
    assert rows[0] == (1000 + 2200, None, ["jpy"])


def test_a_rate_of_a_day_to_come_does_not_count_yet(tables: Tables, tmp_path: Path) -> None:
    """On the twentieth of January."""
    rates = ("eur,usd,1.1,2025-01-01", "eur,usd,1.2,2026-01-21", "jpy,usd,0.0066,2026-01-21")
    assert load(tables, tmp_path, *rates).exit_code == 0
    rows = tables.rows("SELECT mrr_end, currencies_without_rate FROM analytics.mrr_daily_reported ORDER BY day")
    assert rows[-1] == (1000 + 3300, ["jpy"])


def test_a_currency_is_named_as_without_a_rate_only_on_days_on_which_it_has_mrr(tables: Tables, tmp_path: Path) -> None:
    ended = subscription(item(price(3000, currency="jpy")), name="sub_jpy", customer="cus_jpy", currency="jpy")
    ended |= {"status": "canceled", "ended_at": day(5)}
    tables.apply([raw_record("subscription", ended, at=day(5), version=6, change="updated")])
    assert load(tables, tmp_path, "eur,usd,1.1,2025-01-01").exit_code == 0
    rows = tables.rows("SELECT currencies_without_rate FROM analytics.mrr_daily_reported ORDER BY day")
    assert [named for (named,) in rows[4:8]] == [["jpy"], ["jpy"], [], []]


def test_another_file_takes_the_place_of_the_first_and_a_wrong_one_changes_nothing(
    tables: Tables, tmp_path: Path
) -> None:
    load(tables, tmp_path, "eur,usd,1.1,2025-01-01", "jpy,usd,0.0066,2025-01-01")
    assert load(tables, tmp_path, "usd,eur,0.9,2025-01-01", "jpy,eur,0.006,2025-01-01").exit_code == 0
    assert tables.rows("SELECT DISTINCT currency FROM analytics.mrr_daily_reported") == [("eur",)]
    refused = load(tables, tmp_path, "usd,eur,0.9,2025-01-01", "jpy,eur,none,2025-01-01")
    assert refused.exit_code == 2
    assert "rates.csv: line 3: the rate 'none' is no number" in refused.output
    assert tables.rows("SELECT workspace_id, currency, rate FROM analytics.exchange_rates ORDER BY 2") == [
        (WORKSPACE, "jpy", Decimal("0.006")),
        (WORKSPACE, "usd", Decimal("0.9")),
    ]
    shown = CliRunner().invoke(commands, ["rates", "show", "--json"], env={"DATABASE_URL": tables.url})
    assert '"rate": "0.006"' in shown.output


def test_nobodys_rates_are_loaded_for_a_workspace_that_is_not_there(tables: Tables, tmp_path: Path) -> None:
    (tmp_path / "rates.csv").write_text("currency,reporting,rate,valid_from\neur,usd,1.1,2026-01-01\n")
    arguments = ["rates", "load", str(tmp_path / "rates.csv"), "--workspace", "ws_nobody"]
    refused = CliRunner().invoke(commands, arguments, env={"DATABASE_URL": tables.url})
    assert refused.exit_code == 2
    assert WORKSPACE in refused.output


def test_a_currency_without_a_rate_is_named_where_rates_are_loaded(tables: Tables, tmp_path: Path) -> None:
    loaded = load(tables, tmp_path, "eur,usd,1.1,2025-01-01", "usd,eur,0.9,2025-01-01")
    assert loaded.exit_code == 0
    assert "there is MRR in jpy, and no rate to usd: it is not in that figure" in loaded.output
    assert "there is MRR in jpy, and no rate to eur: it is not in that figure" in loaded.output
