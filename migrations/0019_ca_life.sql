-- +goose Up

-- Where a CA stands: lifecycle.Issuers. Which CA signs is data, and at most one
-- online CA signs holders' certificates.
CREATE TYPE issuer_state AS ENUM ('ready', 'signing', 'retired', 'revoked', 'ending', 'ended');
ALTER TABLE issuer ADD COLUMN state issuer_state NOT NULL DEFAULT 'ready';
UPDATE issuer SET state = 'signing' WHERE NOT online OR id = 'issuing-1';
ALTER TABLE issuer ALTER COLUMN state DROP DEFAULT;
ALTER TABLE issuer ADD COLUMN state_since timestamptz;
UPDATE issuer SET state_since = created_at;
ALTER TABLE issuer ALTER COLUMN state_since SET NOT NULL;
-- Of a revoked CA: the reason with which the certificates that it signed are revoked.
ALTER TABLE issuer ADD COLUMN issued_reason integer CHECK (issued_reason IS NULL OR state IN ('revoked', 'ending', 'ended'));
CREATE UNIQUE INDEX one_issuer_signs ON issuer (online) WHERE state = 'signing' AND online;

-- What OCSP says of the house's own certificates, which are few.
CREATE VIEW house_status AS
SELECT serial, issuer_id, shard, revoked_at, reason, invalidity_date, crl_revision FROM house_certificate;
