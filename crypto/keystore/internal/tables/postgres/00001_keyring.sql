-- +goose Up
CREATE TABLE privet.keyring (
    tenant     text COLLATE "C" NOT NULL CHECK (tenant <> ''),
    purpose    text COLLATE "C" NOT NULL CHECK (purpose <> ''),
    subject    bytea            NOT NULL,     -- HMAC of the subject's id, or empty
    state      smallint         NOT NULL CHECK (state IN (1, 2)), -- 1 active, 2 erased
    wrapped    bytea            NOT NULL,     -- the encrypted Tink keyset
    parent     bigint           NOT NULL,     -- key of the root that wrapped it
    kek        text             NOT NULL,     -- URI of the KEK that wrapped it
    version    bigint           NOT NULL CHECK (version > 0),
    created_at timestamptz      NOT NULL,
    updated_at timestamptz      NOT NULL,
    PRIMARY KEY (tenant, purpose, subject),
    CHECK ((state = 1) = (length(wrapped) > 0))
);

-- A tombstone stays one, whatever program writes here.
-- +goose StatementBegin
CREATE FUNCTION privet.keyring_erased_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an erased keyring cannot be changed';
END
$$;
-- +goose StatementEnd

CREATE TRIGGER keyring_erased_stays BEFORE UPDATE ON privet.keyring
    FOR EACH ROW WHEN (OLD.state = 2) EXECUTE FUNCTION privet.keyring_erased_stays();
