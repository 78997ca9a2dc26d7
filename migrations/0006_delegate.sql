-- +goose Up

-- A CA's delegates are of two purposes: its OCSP responder, and the signer of
-- the files that leave for the card bureau.
ALTER TABLE responder RENAME TO delegate;
ALTER TABLE delegate ADD COLUMN purpose text NOT NULL DEFAULT 'ocsp' CHECK (purpose IN ('ocsp', 'bureau'));
ALTER TABLE delegate ALTER COLUMN purpose DROP DEFAULT;
ALTER TABLE delegate DROP CONSTRAINT responder_pkey, ADD PRIMARY KEY (issuer_id, purpose, not_after);
