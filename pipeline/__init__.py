"""How a record becomes state: sources, the one transaction, timers, outbox and relay, dead letters, replay.

A service gives a `Processor` (usually a `SubjectProcessor` around a pure core and a store) and calls
`pipeline.worker.run_consumer`. Everything that the guarantee rests on is in here and nowhere else: every record's
effect reaches PostgreSQL exactly once, every derived event is published at least once under an id that makes a
repeat visible, and whatever cannot be processed is in a dead-letter topic.
"""
