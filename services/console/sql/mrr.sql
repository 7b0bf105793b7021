-- MRR at the end of a day: as it is known now, and as it was known at an instant. What identify() tells, of users who are
-- no customers of Stripe, is under the workspace itself.

-- name: mrr_as_of
SELECT connection_id, currency, mrr, customers, reconstructed
FROM analytics.mrr_as_of(%(day)s)
WHERE workspace_id = %(workspace_id)s AND connection_id = ANY(array_append(%(connections)s::text[], %(workspace_id)s))
ORDER BY connection_id, currency

-- name: mrr_as_known
SELECT connection_id, currency, mrr, customers, reconstructed
FROM analytics.mrr_as_known(%(day)s, %(at)s)
WHERE workspace_id = %(workspace_id)s AND connection_id = ANY(array_append(%(connections)s::text[], %(workspace_id)s))
ORDER BY connection_id, currency

-- name: today
SELECT today FROM analytics.workspace_calendar WHERE workspace_id = %(workspace_id)s
