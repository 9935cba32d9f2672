-- +goose Up
CREATE TABLE keyring (
    tenant     TEXT    NOT NULL CHECK (tenant <> ''),
    purpose    TEXT    NOT NULL CHECK (purpose <> ''),
    subject    BLOB    NOT NULL,              -- HMAC of the subject's id, or empty
    state      INTEGER NOT NULL CHECK (state IN (1, 2)), -- 1 active, 2 erased
    wrapped    BLOB    NOT NULL,              -- the encrypted Tink keyset
    parent     INTEGER NOT NULL,              -- key of the root that wrapped it
    kek        TEXT    NOT NULL,              -- URI of the KEK that wrapped it
    version    INTEGER NOT NULL CHECK (version > 0),
    created_us INTEGER NOT NULL,              -- microseconds since 1970, UTC
    updated_us INTEGER NOT NULL,
    PRIMARY KEY (tenant, purpose, subject),
    CHECK ((state = 1) = (length(wrapped) > 0))
) STRICT, WITHOUT ROWID;

-- A tombstone stays one, whatever program writes here.
-- +goose StatementBegin
CREATE TRIGGER keyring_erased_stays BEFORE UPDATE ON keyring WHEN OLD.state = 2
BEGIN
    SELECT RAISE(ABORT, 'an erased keyring cannot be changed');
END;
-- +goose StatementEnd
