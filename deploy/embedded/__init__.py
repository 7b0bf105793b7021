"""The embedded stack: a real Kafka, a real PostgreSQL, a mail sink and the services, under one supervisor.

It needs no Docker, no root and no account. Everything it writes is in one data folder; the artifacts it downloads
are in a cache folder that data folders share. `stack.EmbeddedStack` is the way in.
"""
