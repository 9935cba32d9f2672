-- +goose Up
CREATE TABLE privet.ledger_entry (
    tenant  text COLLATE "C" NOT NULL CHECK (tenant <> ''),
    seq     bigint           NOT NULL CHECK (seq > 0), -- within the tenant, without gaps
    subject bytea            NOT NULL CHECK (length(subject) > 0), -- HMAC of the subject's id
    key     bigint           NOT NULL,     -- key that hashed it
    action  smallint         NOT NULL,     -- 1 shred
    at      timestamptz      NOT NULL,
    reason  text             NOT NULL,
    PRIMARY KEY (tenant, seq),
    UNIQUE (tenant, subject, action)
);

CREATE INDEX ledger_entry_tenant ON privet.ledger_entry (tenant) WHERE seq = 1;

-- What was written stays written, whatever program comes here.
-- +goose StatementBegin
CREATE FUNCTION privet.ledger_entry_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'entries of the erasure ledger cannot be changed or removed';
END
$$;
-- +goose StatementEnd

CREATE TRIGGER ledger_entry_stays BEFORE UPDATE OR DELETE ON privet.ledger_entry
    FOR EACH ROW EXECUTE FUNCTION privet.ledger_entry_stays();

CREATE TRIGGER ledger_entries_stay BEFORE TRUNCATE ON privet.ledger_entry
    FOR EACH STATEMENT EXECUTE FUNCTION privet.ledger_entry_stays();
