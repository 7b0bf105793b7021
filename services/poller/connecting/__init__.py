"""Connecting: what a submitted key is, which account it opens, what it may read."""
