-- +goose Up

-- A responder keeps statuses in memory and reads what changed: of a shard, all
-- above the revision that it has seen.
CREATE INDEX certificate_by_revision ON certificate (issuer_id, shard, crl_revision) WHERE serial IS NOT NULL;

-- Whoever waits for changes of status is woken when one is committed. A lost
-- wake-up costs a second: who follows also looks by the clock.
-- +goose StatementBegin
CREATE FUNCTION tell_certificate_status() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('certificate_status', '');
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER tell_certificate_status AFTER UPDATE ON crl_shard FOR EACH STATEMENT EXECUTE FUNCTION tell_certificate_status();

-- The order in which answers were stored, near enough to read the new ones: an
-- answer that is missed is signed again.
CREATE SEQUENCE ocsp_answer_stored;
ALTER TABLE ocsp_answer ADD COLUMN stored bigint NOT NULL DEFAULT nextval('ocsp_answer_stored');
CREATE INDEX ocsp_answer_by_stored ON ocsp_answer (stored);

-- All that the revocation door may read of certificates: status, and the answer
-- signed ahead for it.
CREATE VIEW certificate_status AS
SELECT c.id, c.issuer_id, c.shard, c.serial, c.state, c.revoked_at, c.reason, c.invalidity_date, c.status_version, c.crl_revision,
    c.not_after, a.der AS answer, a.this_update, a.next_update, a.stored
FROM certificate c LEFT JOIN ocsp_answer a ON a.serial = c.serial AND a.status_version = c.status_version
WHERE c.serial IS NOT NULL;
