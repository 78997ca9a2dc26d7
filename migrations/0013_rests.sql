-- +goose Up

-- Who has taken on something that waits for staff: a work item, or what failed
-- itself (a failed order has no work item, it is one). What waits is told by
-- its own state; a claim that is older is of an earlier failure.
CREATE TABLE work_claim (
    item_id    text PRIMARY KEY,
    staff      text NOT NULL,
    claimed_at timestamptz NOT NULL
);

-- A data key of the safe is retired when nothing is sealed under it; from then on
-- its wrapped form is gone, but for the first, under which marks are made.
ALTER TABLE data_key ADD COLUMN retired_at timestamptz;

-- A process that has not learnt of a newer key may not seal under a retired one:
-- nobody could open it. The lock has the retirement wait for whoever seals now.
-- +goose StatementBegin
CREATE FUNCTION data_key_is_in_use(sealed bytea) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    retired timestamptz;
BEGIN
    IF length(sealed) >= 2 THEN
        SELECT retired_at INTO retired FROM data_key WHERE number = get_byte(sealed, 0) * 256 + get_byte(sealed, 1) FOR SHARE;
        IF retired IS NOT NULL THEN
            RAISE EXCEPTION 'sealed under a data key that is retired: start this process again' USING ERRCODE = 'object_not_in_prerequisite_state';
        END IF;
    END IF;
END $$;
CREATE FUNCTION card_is_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM data_key_is_in_use(NEW.pan_sealed);
    RETURN NEW;
END $$;
CREATE FUNCTION dgis_are_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM data_key_is_in_use(NEW.dgis);
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER sealed_in_use BEFORE INSERT OR UPDATE OF pan_sealed ON card FOR EACH ROW EXECUTE FUNCTION card_is_sealed();
CREATE TRIGGER sealed_in_use BEFORE INSERT OR UPDATE OF dgis ON batch_card
    FOR EACH ROW WHEN (NEW.dgis IS NOT NULL) EXECUTE FUNCTION dgis_are_sealed();

-- Letters are fenced by their run. No release has read these.
ALTER TABLE card_letter DROP COLUMN fence;
ALTER TABLE pin_letter DROP COLUMN fence;

-- A terminal's key names its branch. One that was made before has none and opens
-- no terminal's operation any more: make another.
ALTER TABLE api_key ADD COLUMN branch_id text REFERENCES branch;
