INSERT INTO clocks AS c (partition, ahead)
VALUES (%s, %s - clock_timestamp())
ON CONFLICT (partition) DO UPDATE SET ahead = excluded.ahead
WHERE abs(extract(epoch FROM c.ahead - excluded.ahead)) > 10
