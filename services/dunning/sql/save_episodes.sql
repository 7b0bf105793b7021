INSERT INTO episodes AS e (
    episode_id, subject, workspace_id, connection_id, customer_id, user_id, livemode, state, reason, opened_at, ended_at,
    step, steps, due_at, mailed, mailed_at, decline_reason, invoices, policy,
    source_topic, source_partition, source_offset
)
SELECT * FROM unnest(
    %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::boolean[], %s::text[], %s::text[],
    %s::timestamptz[], %s::timestamptz[],
    %s::integer[], %s::integer[], %s::timestamptz[], %s::integer[], %s::timestamptz[], %s::text[], %s::jsonb[], %s::jsonb[],
    %s::text[], %s::integer[], %s::bigint[]
)
ON CONFLICT (episode_id) DO UPDATE SET
    customer_id = excluded.customer_id,
    user_id = excluded.user_id,
    livemode = excluded.livemode,
    state = excluded.state,
    reason = excluded.reason,
    opened_at = excluded.opened_at,
    ended_at = excluded.ended_at,
    step = excluded.step,
    steps = excluded.steps,
    due_at = excluded.due_at,
    mailed = excluded.mailed,
    mailed_at = excluded.mailed_at,
    decline_reason = excluded.decline_reason,
    invoices = excluded.invoices,
    policy = excluded.policy,
    source_topic = excluded.source_topic,
    source_partition = excluded.source_partition,
    source_offset = excluded.source_offset,
    recorded_at = now()
