-- Dunning's episodes and emails, from its views in `analytics`. A failure that was recorded by hand has no connection,
-- only a mode.

-- name: states
SELECT state, count(*) FROM analytics.dunning_episodes
WHERE workspace_id = %(workspace_id)s
    AND (connection_id = ANY(%(connections)s) OR connection_id IS NULL AND livemode = ANY(%(by_hand)s))
GROUP BY state

-- name: at_stake
SELECT a.key, sum(a.value::bigint)::bigint
FROM analytics.dunning_episodes e, jsonb_each_text(e.remaining) a
WHERE e.workspace_id = %(workspace_id)s
    AND (e.connection_id = ANY(%(connections)s) OR e.connection_id IS NULL AND e.livemode = ANY(%(by_hand)s))
    AND e.state = ANY(%(at_stake_now)s) AND a.value::bigint > 0
GROUP BY a.key

-- name: recovered
SELECT a.key, sum(a.value::bigint)::bigint
FROM analytics.dunning_episodes e, jsonb_each_text(e.recovered) a
WHERE e.workspace_id = %(workspace_id)s
    AND (e.connection_id = ANY(%(connections)s) OR e.connection_id IS NULL AND e.livemode = ANY(%(by_hand)s))
    AND e.state = 'recovered' AND e.ended_at >= %(since)s AND a.value::bigint > 0
GROUP BY a.key

-- name: recovered_episodes
SELECT count(*), count(*) FILTER (WHERE mailed > 0) FROM analytics.dunning_episodes
WHERE workspace_id = %(workspace_id)s
    AND (connection_id = ANY(%(connections)s) OR connection_id IS NULL AND livemode = ANY(%(by_hand)s))
    AND state = 'recovered' AND ended_at >= %(since)s

-- name: emails_by_state
SELECT state, count(*) FROM analytics.dunning_emails m
WHERE workspace_id = %(workspace_id)s AND (connection_id = ANY(%(connections)s) OR connection_id IS NULL AND EXISTS (
        SELECT FROM analytics.dunning_episodes e WHERE e.episode_id = m.episode_id AND e.livemode = ANY(%(by_hand)s)))
    AND at >= %(since)s
GROUP BY state

-- name: currencies
SELECT currency, sum(episodes)::bigint FROM analytics.dunning_recovery
WHERE workspace_id = %(workspace_id)s
    AND (connection_id = ANY(%(connections)s) OR connection_id IS NULL AND livemode = ANY(%(by_hand)s))
GROUP BY currency

-- name: after_steps
SELECT after_step, currency, sum(episodes)::bigint, sum(recovered_episodes)::bigint, sum(at_stake)::bigint,
    sum(recovered)::bigint
FROM analytics.dunning_recovery
WHERE workspace_id = %(workspace_id)s
    AND (connection_id = ANY(%(connections)s) OR connection_id IS NULL AND livemode = ANY(%(by_hand)s))
GROUP BY after_step, currency ORDER BY sum(sum(episodes)) OVER (PARTITION BY currency) DESC, currency, after_step

-- name: episodes
SELECT episode_id, connection_id, customer_id, user_id, state, reason, opened_at, ended_at, step, steps, due_at,
    mailed, mailed_at, decline_reason, at_stake, remaining, recovered, waits_for, invoices, policy
FROM analytics.dunning_episodes
WHERE workspace_id = %(workspace_id)s
    AND (connection_id = ANY(%(connections)s) OR connection_id IS NULL AND livemode = ANY(%(by_hand)s))
    AND state = ANY(%(states)s)
    AND (%(after_at)s::timestamptz IS NULL
        OR (coalesce(ended_at, opened_at), episode_id) < (%(after_at)s, %(after_id)s))
ORDER BY coalesce(ended_at, opened_at) DESC, episode_id DESC LIMIT %(limit)s

-- name: episode
SELECT episode_id, connection_id, customer_id, user_id, state, reason, opened_at, ended_at, step, steps, due_at,
    mailed, mailed_at, decline_reason, at_stake, remaining, recovered, waits_for, invoices, policy
FROM analytics.dunning_episodes
WHERE workspace_id = %(workspace_id)s
    AND (connection_id = ANY(%(connections)s) OR connection_id IS NULL AND livemode = ANY(%(by_hand)s))
    AND episode_id = %(episode_id)s

-- name: emails
SELECT step, attempt, state, at, recipient, subject_line, reason, detail, body_text FROM analytics.dunning_emails
WHERE workspace_id = %(workspace_id)s AND (connection_id IS NULL OR connection_id = ANY(%(connections)s))
    AND episode_id = %(episode_id)s
ORDER BY step, at, attempt

-- name: names
SELECT connection_id, customer_id, coalesce(nullif(name, ''), nullif(email, '')) FROM analytics.customers
WHERE workspace_id = %(workspace_id)s AND connection_id = ANY(%(connections)s) AND customer_id = ANY(%(ids)s)

-- name: sender_tests
SELECT decision_id, asked_at, recipient, sender, state, reply, changed_at FROM analytics.dunning_sender_tests
WHERE workspace_id = %(workspace_id)s ORDER BY asked_at DESC, decision_id DESC LIMIT %(limit)s

-- name: has_passed
SELECT EXISTS (SELECT FROM analytics.dunning_sender_tests
    WHERE workspace_id = %(workspace_id)s AND lower(sender) = lower(%(address)s) AND state = 'sent')
