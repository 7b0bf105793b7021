"""Dunning's statements, migrations and views."""
