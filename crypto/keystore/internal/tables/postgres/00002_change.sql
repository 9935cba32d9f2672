-- +goose Up
ALTER TABLE privet.keyring
    ADD COLUMN ledger bigint NOT NULL DEFAULT 0, -- entries of the erasure ledger that are carried out
    ADD COLUMN change bigint NOT NULL DEFAULT 0; -- number of its last change that caches must hear of

CREATE INDEX keyring_change ON privet.keyring (change) WHERE change > 0;
CREATE INDEX keyring_erased ON privet.keyring (tenant, purpose, subject) WHERE state = 2;

-- Numbers changes. Its one row is locked until the change is committed, so that
-- numbers become visible in their order.
CREATE TABLE privet.keystore_change (n bigint NOT NULL);
INSERT INTO privet.keystore_change VALUES (0);

-- A keyring was erased, or its keys changed; rewrapping, which changes the parent or
-- the KEK as well, is no news to a cache. The function runs as the tables' owner, so
-- that nobody else may write the number.
-- +goose StatementBegin
CREATE FUNCTION privet.keyring_changed() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    payload text := json_build_array(NEW.tenant, NEW.purpose, encode(NEW.subject, 'hex'))::text;
BEGIN
    UPDATE privet.keystore_change SET n = n + 1 RETURNING n INTO NEW.change;
    IF octet_length(payload) > 7900 THEN
        payload := '[]';
    END IF;
    PERFORM pg_notify('privet_keystore', payload);
    RETURN NEW;
END
$$;
-- +goose StatementEnd

CREATE TRIGGER keyring_changed BEFORE UPDATE ON privet.keyring FOR EACH ROW
    WHEN (OLD.state <> NEW.state OR (OLD.wrapped <> NEW.wrapped AND OLD.parent = NEW.parent AND OLD.kek = NEW.kek))
    EXECUTE FUNCTION privet.keyring_changed();
