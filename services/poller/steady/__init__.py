"""The steady state: which calls a poll makes, and how late that leaves each kind of change."""
