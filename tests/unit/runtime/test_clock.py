"""The clock: domain time by an anchor, the machine's time apart."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.clock import Anchor, FileClock, RealClock, clock_from, write_clock
from runtime.errors import SettingsError

REAL = datetime(2026, 3, 1, tzinfo=UTC)
SIMULATED = datetime(2026, 6, 1, tzinfo=UTC)


def test_the_real_clock_is_the_machines() -> None:
    clock = clock_from("real")
    assert isinstance(clock, RealClock)
    assert abs(clock.now() - clock.machine_now()) < timedelta(seconds=1)


@given(seconds=st.integers(0, 10**6), rate=st.sampled_from([0.0, 1.0, 60.0]))
def test_simulated_time_is_the_anchor_plus_rate_times_what_has_passed(seconds: int, rate: float) -> None:
    anchor = Anchor(real=REAL, simulated=SIMULATED, rate=rate)
    assert anchor.at(REAL + timedelta(seconds=seconds)) == SIMULATED + timedelta(seconds=seconds * rate)
    assert Anchor.decode(anchor.encode()) == anchor


def test_a_clock_that_stands_stands_for_every_reader_and_moves_at_once_with_its_file(tmp_path: Path) -> None:
    file = tmp_path / "clock.json"
    write_clock(file, Anchor(real=REAL, simulated=SIMULATED, rate=0.0))
    one, other = FileClock(file), FileClock(file)
    assert one.now() == other.now() == SIMULATED
    write_clock(file, Anchor(real=REAL, simulated=SIMULATED + timedelta(hours=1), rate=0.0))
    assert one.now() == other.now() == SIMULATED + timedelta(hours=1)


@pytest.mark.parametrize(
    "content", ["", "{}", '{"real": "2026-01-01T00:00:00", "simulated": "2026-01-01T00:00:00Z", "rate": 1}', "[1]"]
)
def test_a_file_that_is_no_clock_is_named(content: str, tmp_path: Path) -> None:
    file = tmp_path / "clock.json"
    file.write_text(content)
    with pytest.raises(SettingsError, match=r"clock\.json is not a clock"):
        FileClock(file)


def test_a_missing_clock_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        clock_from(str(tmp_path / "none.json"))
