-- name: SetEnrolmentCode :exec
INSERT INTO enrolment (certificate_id, code_sha256, handover, handed_by, handed_at, expires_at)
VALUES (@certificate_id, @code_sha256::bytea, @handover, @handed_by, @handed_at, @expires_at)
ON CONFLICT (certificate_id) DO UPDATE SET code_sha256 = excluded.code_sha256, handover = excluded.handover, handed_by = excluded.handed_by,
    handed_at = excluded.handed_at, expires_at = excluded.expires_at, tries = 0, session_sha256 = NULL, session_expires = NULL;

-- name: CountEnrolmentTry :one
UPDATE enrolment SET tries = tries + 1
WHERE certificate_id = @certificate_id AND code_sha256 IS NOT NULL AND tries < @max_tries AND expires_at > @now
RETURNING code_sha256::bytea AS code_sha256, tries;

-- name: OpenEnrolmentSession :execrows
UPDATE enrolment SET tries = greatest(tries - 1, 0), session_sha256 = @session_sha256::bytea, session_expires = @session_expires::timestamptz
WHERE certificate_id = @certificate_id AND code_sha256 = @code_sha256::bytea;

-- name: EnrolmentBySession :one
SELECT certificate_id FROM enrolment
WHERE session_sha256 = @session_sha256::bytea AND session_expires > @now::timestamptz AND expires_at > @now::timestamptz;

-- name: CloseEnrolmentSession :exec
UPDATE enrolment SET session_sha256 = NULL, session_expires = NULL WHERE session_sha256 = @session_sha256::bytea;

-- name: EndEnrolmentCode :exec
UPDATE enrolment SET code_sha256 = NULL WHERE certificate_id = @certificate_id;

-- name: Enrolment :one
SELECT certificate_id, code_sha256, handover, handed_by, handed_at, expires_at, tries, session_sha256, session_expires
FROM enrolment WHERE certificate_id = @certificate_id;

-- name: SetKeyDevice :exec
INSERT INTO key_device (certificate_id, manufacturer, model, serial, claimed_at)
VALUES (@certificate_id, @manufacturer, @model, @serial, @claimed_at)
ON CONFLICT (certificate_id) DO UPDATE SET manufacturer = excluded.manufacturer, model = excluded.model, serial = excluded.serial,
    claimed_at = excluded.claimed_at;

-- name: ForgetKeyDevice :exec
DELETE FROM key_device WHERE certificate_id = @certificate_id;

-- name: KeyDevice :one
SELECT certificate_id, manufacturer, model, serial, claimed_at FROM key_device WHERE certificate_id = @certificate_id;

-- name: InsertAcceptance :exec
INSERT INTO acceptance (certificate_id, statement, signature, accepted_at) VALUES (@certificate_id, @statement, @signature, @accepted_at);

-- name: Acceptance :one
SELECT certificate_id, statement, signature, accepted_at FROM acceptance WHERE certificate_id = @certificate_id;

-- name: LockKey :exec
SELECT pg_advisory_xact_lock(hashtextextended('key ' || encode(@spki_sha256::bytea, 'hex'), 0));

-- name: BlockKey :execrows
INSERT INTO blocked_key (spki_sha256, why, blocked_by, blocked_at) VALUES (@spki_sha256, @why, @blocked_by, @blocked_at)
ON CONFLICT (spki_sha256) DO NOTHING;

-- name: KeyIsBlocked :one
SELECT EXISTS (SELECT FROM blocked_key WHERE spki_sha256 = @spki_sha256::bytea);

-- name: CertificateIDByKey :one
SELECT id FROM certificate WHERE spki_sha256 = @spki_sha256::bytea;

-- name: HouseCertificateFiles :many
SELECT certificate FROM issuer UNION ALL SELECT certificate FROM delegate;
