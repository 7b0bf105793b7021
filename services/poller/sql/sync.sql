-- name: add_shards
INSERT INTO shards (connection_id, task, shard, created_from, created_before)
SELECT %(connection_id)s, row.*
FROM unnest(%(tasks)s::text[], %(numbers)s::int[], %(froms)s::bigint[], %(befores)s::bigint[]) AS row
ON CONFLICT DO NOTHING

-- name: shards
SELECT task, shard, created_from, created_before, after_id, objects, done FROM shards
WHERE connection_id = %(connection_id)s ORDER BY task, shard

-- name: move_shard
UPDATE shards SET created_from = %(created_from)s, created_before = %(created_before)s, after_id = %(after_id)s,
    objects = %(objects)s, done = %(done)s
WHERE connection_id = %(connection_id)s AND task = %(task)s AND shard = %(shard)s

-- name: forget_shards
DELETE FROM shards WHERE connection_id = %(connection_id)s

-- name: shown
SELECT coalesce((progress ->> 'percent')::int, 0), customers_counted FROM connection_status
WHERE connection_id = %(connection_id)s
