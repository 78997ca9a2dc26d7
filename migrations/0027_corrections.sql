-- +goose Up

-- A holder is also told that what the bank has on record of them was corrected: such
-- a notice is of no certificate. Its occasion says what was corrected, as bits.
ALTER TABLE notice ALTER COLUMN certificate_id DROP NOT NULL;
ALTER TABLE notice DROP CONSTRAINT notice_kind_check;
ALTER TABLE notice ADD CONSTRAINT notice_kind_check CHECK (kind IN ('issued', 'held', 'released', 'revoked', 'expiring', 'renewal', 'corrected'));
ALTER TABLE notice ADD CONSTRAINT notice_of_certificate CHECK ((kind = 'corrected') = (certificate_id IS NULL));
-- The address that the holder had before, which is told too; else that of the moment
-- when the notice is sent.
ALTER TABLE notice ADD COLUMN former_address text;
