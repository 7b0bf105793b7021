"""The detector's SQL: its statements, migrations and views."""
