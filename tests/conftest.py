"""The fixtures that every test may ask for; see `tests/fixtures`."""

pytest_plugins = ["tests.fixtures.servers", "tests.fixtures.browser", "tests.fixtures.tables"]
