"""Benchmarks: what something costs, beside what it is compared with in the same run, and the goal.

`python -m bench` runs all, `python -m bench NAME [--json]` one. A benchmark is a module of `bench.benchmarks` with
`run(servers, tell) -> Measurement`.
"""
