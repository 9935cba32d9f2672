-- +goose Up
ALTER TABLE keyring ADD COLUMN ledger INTEGER NOT NULL DEFAULT 0; -- entries of the erasure ledger that are carried out
ALTER TABLE keyring ADD COLUMN change INTEGER NOT NULL DEFAULT 0; -- number of its last change that caches must hear of

CREATE INDEX keyring_change ON keyring (change) WHERE change > 0;
CREATE INDEX keyring_erased ON keyring (tenant, purpose, subject) WHERE state = 2;

CREATE TABLE keystore_change (n INTEGER NOT NULL) STRICT;
INSERT INTO keystore_change VALUES (0);

-- The number is written after the tombstone, and to it.
DROP TRIGGER keyring_erased_stays;
-- +goose StatementBegin
CREATE TRIGGER keyring_erased_stays
    BEFORE UPDATE OF tenant, purpose, subject, state, wrapped, parent, kek, version, created_us, updated_us, ledger
    ON keyring WHEN OLD.state = 2
BEGIN
    SELECT RAISE(ABORT, 'an erased keyring cannot be changed');
END;
-- +goose StatementEnd

-- A keyring was erased, or its keys changed; rewrapping, which changes the parent or
-- the KEK as well, is no news to a cache.
-- +goose StatementBegin
CREATE TRIGGER keyring_changed AFTER UPDATE OF state, wrapped ON keyring
    WHEN OLD.state <> NEW.state OR (OLD.wrapped <> NEW.wrapped AND OLD.parent = NEW.parent AND OLD.kek = NEW.kek)
BEGIN
    UPDATE keystore_change SET n = n + 1;
    UPDATE keyring SET change = (SELECT n FROM keystore_change)
        WHERE tenant = NEW.tenant AND purpose = NEW.purpose AND subject = NEW.subject;
END;
-- +goose StatementEnd
