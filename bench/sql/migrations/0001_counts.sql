CREATE TABLE counts (
    subject   text PRIMARY KEY,
    records   bigint NOT NULL,
    total     bigint NOT NULL,
    latest    timestamptz NOT NULL,
    alarms    bigint NOT NULL,
    published bigint NOT NULL
) WITH (fillfactor = 70);
COMMENT ON TABLE counts IS 'How many records there were of a subject, and their sum.';
