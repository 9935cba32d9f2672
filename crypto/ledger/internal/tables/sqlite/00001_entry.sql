-- +goose Up
CREATE TABLE ledger_entry (
    tenant  TEXT    NOT NULL CHECK (tenant <> ''),
    seq     INTEGER NOT NULL CHECK (seq > 0), -- within the tenant, without gaps
    subject BLOB    NOT NULL CHECK (length(subject) > 0), -- HMAC of the subject's id
    key     INTEGER NOT NULL,     -- key that hashed it
    action  INTEGER NOT NULL,     -- 1 shred
    at_us   INTEGER NOT NULL,     -- microseconds since 1970, UTC
    reason  TEXT    NOT NULL,
    PRIMARY KEY (tenant, seq),
    UNIQUE (tenant, subject, action)
) STRICT, WITHOUT ROWID;

CREATE INDEX ledger_entry_tenant ON ledger_entry (tenant) WHERE seq = 1;

-- What was written stays written, whatever program comes here. REPLACE deletes
-- without a DELETE trigger, so it is met at the insert.
-- +goose StatementBegin
CREATE TRIGGER ledger_entry_update BEFORE UPDATE ON ledger_entry
BEGIN
    SELECT RAISE(ABORT, 'entries of the erasure ledger cannot be changed or removed');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER ledger_entry_delete BEFORE DELETE ON ledger_entry
BEGIN
    SELECT RAISE(ABORT, 'entries of the erasure ledger cannot be changed or removed');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER ledger_entry_replace BEFORE INSERT ON ledger_entry
    WHEN EXISTS (SELECT 1 FROM ledger_entry e WHERE e.tenant = NEW.tenant
        AND (e.seq = NEW.seq OR (e.subject = NEW.subject AND e.action = NEW.action)))
BEGIN
    SELECT RAISE(ABORT, 'entries of the erasure ledger cannot be changed or removed');
END;
-- +goose StatementEnd
