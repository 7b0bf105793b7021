"""What a workspace has set, folded from its decisions."""

from datetime import UTC, datetime

from services.console.decisions import decided_of

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_a_null_leaves_what_was_set_as_the_services_have_it() -> None:
    decided = decided_of(
        [
            ("workspace.settings", {"timezone": "Asia/Tokyo"}, NOW),
            ("workspace.settings", {"timezone": None, "name": "Acme"}, NOW),
            ("dunning.policy", {"days": [0, 5], "first_hour": 8}, NOW),
            ("dunning.policy", {"days": None, "first_hour": None, "last_hour": 20}, NOW),
        ],
        NOW,
    )
    assert (decided.settings.timezone, decided.settings.name) == ("Asia/Tokyo", "Acme")
    assert (decided.policy.days, decided.policy.first_hour, decided.policy.last_hour) == ((0, 5), 8, 20)
