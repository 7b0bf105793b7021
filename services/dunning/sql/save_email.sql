INSERT INTO emails AS m (
    episode_id, step, attempt, workspace_id, connection_id, customer_id, user_id, state, standing, at,
    message_id, recipient, subject_line, reason, detail, source_topic, source_partition, source_offset
)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (episode_id, step, attempt) DO UPDATE SET
    state = excluded.state,
    standing = excluded.standing,
    at = excluded.at,
    message_id = coalesce(excluded.message_id, m.message_id),
    recipient = coalesce(excluded.recipient, m.recipient),
    subject_line = coalesce(excluded.subject_line, m.subject_line),
    reason = excluded.reason,
    detail = m.detail || excluded.detail,
    source_topic = excluded.source_topic,
    source_partition = excluded.source_partition,
    source_offset = excluded.source_offset
WHERE m.standing < excluded.standing
