"""When emails go: days on the wall clock, sending hours, zones, and clocks that change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events.decisions import USUAL_DUNNING
from services.dunning.policy import Policy, add_days
from services.dunning.zones import zone_of_country

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
ZONES = (BERLIN, NEW_YORK, "Asia/Kathmandu", "Pacific/Auckland", "Pacific/Apia", "UTC")


def local(zone: str, *parts: int) -> datetime:
    return datetime(*parts, tzinfo=ZoneInfo(zone))  # type: ignore[arg-type, misc]


def due(step: int, anchor: datetime, zone: str, **more: object) -> datetime:
    options = {"hard": False, "last_mail_at": None, **more}
    return Policy().step_due(step, anchor=anchor, zone_name=zone, **options)  # type: ignore[arg-type]


def test_what_holds_where_nothing_was_decided_is_what_the_contracts_say() -> None:
    assert Policy() == Policy(**USUAL_DUNNING.model_dump())


def test_the_first_email_waits_an_hour_so_that_a_retry_can_win() -> None:
    failed = local(BERLIN, 2026, 3, 2, 10)
    assert due(1, failed, BERLIN) == failed + timedelta(hours=1)


def test_after_a_hard_decline_it_does_not_wait() -> None:
    failed = local(BERLIN, 2026, 3, 2, 10)
    assert due(1, failed, BERLIN, hard=True) == failed


def test_at_night_it_waits_for_the_morning_of_the_customers_zone() -> None:
    assert due(1, local(NEW_YORK, 2026, 3, 2, 22), NEW_YORK) == local(NEW_YORK, 2026, 3, 3, 9)
    assert due(1, local(NEW_YORK, 2026, 3, 2, 3), NEW_YORK) == local(NEW_YORK, 2026, 3, 2, 9)


def test_the_last_hour_is_not_a_sending_hour() -> None:
    assert due(1, local(BERLIN, 2026, 3, 2, 16), BERLIN) == local(BERLIN, 2026, 3, 3, 9)


@pytest.mark.parametrize(("zone", "day"), [(NEW_YORK, (2026, 3, 6)), (BERLIN, (2026, 3, 27)), (BERLIN, (2026, 10, 23))])
def test_three_days_later_is_the_same_hour_though_the_clock_changed(zone: str, day: tuple[int, int, int]) -> None:
    failed = local(zone, *day, 10, 30)
    found = due(2, failed, zone).astimezone(ZoneInfo(zone))
    assert (found.date() - failed.date(), found.hour, found.minute) == (timedelta(days=3), 10, 30)
    assert due(2, failed, zone) - failed.astimezone(UTC) != timedelta(days=3)


def test_an_hour_that_the_clock_skips_is_moved_on() -> None:
    assert add_days(local(BERLIN, 2026, 3, 28, 2, 30), 1, BERLIN) == local(BERLIN, 2026, 3, 29, 3, 30)


def test_the_morning_after_the_clock_changed_begins_at_nine_on_the_wall() -> None:
    found = due(1, local(BERLIN, 2026, 3, 28, 20), BERLIN)
    assert found == datetime(2026, 3, 29, 7, tzinfo=UTC)


def test_a_countrys_zone_is_used_where_it_is_known() -> None:
    policy = Policy(timezone="Asia/Tokyo")
    assert policy.zone_for("DE") == BERLIN
    assert policy.zone_for("us") == "America/Chicago"
    assert policy.zone_for("XX") == policy.zone_for(None) == "Asia/Tokyo"


def test_a_country_with_several_zones_and_no_usual_one_is_unknown() -> None:
    assert zone_of_country("FM") is None


@pytest.mark.parametrize(
    "settings",
    [
        {"days": ()},
        {"days": (3, 1)},
        {"days": (0, 0)},
        {"days": (-1, 3)},
        {"days": (0, 1, 2, 3, 4, 5)},
        {"first_hour": 17},
        {"last_hour": 25},
        {"wait_minutes": -1},
        {"timezone": "Mars/Olympus"},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must|is no time zone"):
        Policy(**settings)  # type: ignore[arg-type]


instants = st.datetimes(datetime(2024, 1, 1), datetime(2029, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(anchor=instants, zone=st.sampled_from(ZONES), step=st.integers(1, 3), hard=st.booleans())
def test_an_email_is_due_within_the_sending_hours_and_within_a_day_of_its_date(
    anchor: datetime, zone: str, step: int, *, hard: bool
) -> None:
    found = due(step, anchor, zone, hard=hard)
    assert 9 <= found.astimezone(ZoneInfo(zone)).hour < 17
    days = Policy().days[step - 1]
    assert timedelta(days=days, hours=-2) <= found - anchor <= timedelta(days=days + 1, hours=2)


@given(anchor=instants, zone=st.sampled_from(ZONES))
def test_steps_are_due_one_after_the_other(anchor: datetime, zone: str) -> None:
    first, second, third = (due(step, anchor, zone) for step in (1, 2, 3))
    assert first < second < third


@given(at=instants, zone=st.sampled_from(ZONES))
def test_the_sending_hours_close_after_they_opened(at: datetime, zone: str) -> None:
    policy = Policy()
    opens = policy.next_open(at, zone)
    assert at <= opens < policy.closes(opens, zone) <= opens + timedelta(hours=8)
    assert policy.is_open(opens, zone)
    assert not policy.is_open(policy.closes(opens, zone), zone)
