"""mrr's SQL: its statements, migrations and views."""
