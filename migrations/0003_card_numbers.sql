-- +goose Up

-- Card numbers are sealed (safe/safe.go): the database has what only Vault's key
-- opens, a mark under which an equal number is found, and the four digits that
-- people may see. Data groupings are sealed too until the bureau's file is
-- written; they have the number in them.
--
-- Numbers in clear are not sealed here: that takes a key that PostgreSQL must
-- not have, and their bytes would stay in dead rows, logs and backups all the
-- same. A house with cards starts again on an empty database.
-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM card) THEN
        RAISE EXCEPTION 'this database has card numbers in clear, from before migration 3: keep it for its records, and start on an empty one';
    END IF;
END $$;
-- +goose StatementEnd
ALTER TABLE card DROP COLUMN pan;
ALTER TABLE card
    ADD COLUMN pan_sealed bytea NOT NULL,
    ADD COLUMN pan_mark   bytea NOT NULL CHECK (length(pan_mark) = 32),
    ADD COLUMN last4      text NOT NULL CHECK (last4 ~ '^[0-9]{4}$'),
    ADD UNIQUE (pan_mark, psn);

-- The safe's data keys, as Vault wrapped them.
CREATE TABLE data_key (
    number     integer PRIMARY KEY CHECK (number >= 1),
    wrapped    text NOT NULL,
    created_at timestamptz NOT NULL
);
