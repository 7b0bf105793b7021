"""The fixtures that every test may ask for (see `tests/fixtures`), and how hypothesis looks for counterexamples."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.fixtures.servers", "tests.fixtures.browser", "tests.fixtures.tables"]

# No test is about time: a machine that is busy with the tests beside draws slowly, and decides slowly.
settings.register_profile("dropfix", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("dropfix")
