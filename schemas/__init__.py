"""The event contracts: what is on which topic, under which key, in which shape.

`catalogue` names every topic, `events` holds the value models, `envelope` the CloudEvents headers,
`ids` the deterministic identifiers, `partition` the partitioner, `stripe` the readers of Stripe's objects.
Nothing here does I/O; everything else may import it.
"""
