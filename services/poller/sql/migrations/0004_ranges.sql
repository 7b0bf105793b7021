-- A page of a sweep shows everything of a range of creation: what it lacks there is looked for by this index.

CREATE INDEX objects_in_order ON objects (connection_id, kind, created)
    WHERE kind = 'customer' OR (kind = 'invoice' AND status = 'open')
       OR (kind = 'subscription' AND status NOT IN ('canceled', 'incomplete_expired'));
