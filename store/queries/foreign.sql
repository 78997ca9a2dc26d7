-- name: LiveEditionsOf :many
SELECT name, version FROM edition WHERE thing = @thing AND state = 'live' ORDER BY name;

-- name: PutForeignTry :exec
INSERT INTO foreign_source (trusted, address, tried_at, failure) VALUES (@trusted, @address, @tried_at, @failure)
ON CONFLICT (trusted, address) DO UPDATE SET tried_at = excluded.tried_at, failure = excluded.failure;

-- name: LockForeignSource :one
SELECT trusted, address, list_id, tried_at, failure FROM foreign_source WHERE trusted = @trusted AND address = @address FOR UPDATE;

-- name: ForeignList :one
SELECT id, issuer_key, number, this_update, next_update, points, entries, sha256, fetched_at FROM foreign_list WHERE id = @id;

-- name: ForeignSources :many
SELECT s.trusted, s.address, s.tried_at, s.failure, l.number, l.this_update, l.next_update, l.entries, l.fetched_at
FROM foreign_source s LEFT JOIN foreign_list l ON l.id = s.list_id WHERE s.trusted = @trusted ORDER BY s.address;

-- name: InsertForeignList :one
INSERT INTO foreign_list (issuer_key, number, this_update, next_update, points, entries, sha256, fetched_at)
VALUES (@issuer_key, @number, @this_update, @next_update, @points, @entries, @sha256, @fetched_at) RETURNING id;

-- name: InsertForeignRevoked :copyfrom
INSERT INTO foreign_revoked (list_id, serial, revoked_at, reason) VALUES (@list_id, @serial, @revoked_at, @reason);

-- name: PointForeignSource :exec
UPDATE foreign_source SET list_id = @list_id::bigint, tried_at = @tried_at, failure = '' WHERE trusted = @trusted AND address = @address;

-- name: DeleteForeignList :exec
DELETE FROM foreign_list WHERE id = @id;

-- What the lists of an accepted CA say of serials, each of an issuer.
-- name: ForeignStatuses :many
SELECT a.issuer_key::bytea AS issuer_key, a.serial::bytea AS serial, s.address, l.this_update, l.next_update, l.points, r.revoked_at, r.reason
FROM (SELECT unnest(@issuer_keys::bytea[]) AS issuer_key, unnest(@serials::bytea[]) AS serial) AS a
    JOIN foreign_source s ON s.trusted = @trusted AND s.address = ANY(@addresses::text[])
    JOIN foreign_list l ON l.id = s.list_id AND l.issuer_key = a.issuer_key
    LEFT JOIN foreign_revoked r ON r.list_id = l.id AND r.serial = a.serial;

-- name: ForeignAnswer :one
SELECT sha256, code, source, at, until, revoked_at, reason, der FROM foreign_answer WHERE sha256 = @sha256;

-- An answer that is older than the one on record takes nobody back.
-- name: PutForeignAnswer :exec
INSERT INTO foreign_answer (sha256, code, source, at, until, revoked_at, reason, der)
VALUES (@sha256, @code, @source, @at, @until, sqlc.narg('revoked_at'), @reason, @der)
ON CONFLICT (sha256) DO UPDATE SET code = excluded.code, source = excluded.source, at = excluded.at, until = excluded.until,
    revoked_at = excluded.revoked_at, reason = excluded.reason, der = excluded.der
WHERE foreign_answer.at <= excluded.at;

-- name: PutBindingChallenge :exec
INSERT INTO binding_challenge (holder_id, nonce, expires_at) VALUES (@holder_id, @nonce, @expires_at)
ON CONFLICT (holder_id) DO UPDATE SET nonce = excluded.nonce, expires_at = excluded.expires_at;

-- name: BindingChallenge :one
SELECT holder_id, nonce, expires_at FROM binding_challenge WHERE holder_id = @holder_id;

-- A challenge is used once, whatever becomes of its use.
-- name: UseBindingChallenge :execrows
DELETE FROM binding_challenge WHERE holder_id = @holder_id AND nonce = @nonce;

-- One at a time binds a key.
-- name: LockBinding :exec
SELECT pg_advisory_xact_lock(hashtextextended('bind ' || encode(@spki_sha256::bytea, 'hex'), 0));

-- Who has a key, or is to have it.
-- name: BoundKeys :many
SELECT m.id, m.holder_id, m.state, f.sha256 FROM foreign_certificate f JOIN means m ON m.id = f.means_id
WHERE f.spki_sha256 = @spki_sha256 AND m.state IN ('proposed', 'active', 'suspended') ORDER BY m.id;

-- name: InsertForeignMeans :exec
INSERT INTO means (id, holder_id, kind, state, label, requested_by, created_at, updated_at)
VALUES (@id, @holder_id, 'foreign_certificate', @state, @label, @requested_by, @created_at, @created_at);

-- name: InsertForeignCertificate :exec
INSERT INTO foreign_certificate (means_id, trusted, der, sha256, spki_sha256, subject, issuer, serial, not_after, signed, signature)
VALUES (@means_id, @trusted, @der, @sha256, @spki_sha256, @subject, @issuer, @serial, @not_after, @signed, @signature);

-- name: ForeignCertificate :one
SELECT m.id, m.holder_id, m.state, m.label, m.requested_by, m.created_at, m.updated_at, f.trusted, f.der, f.sha256, f.spki_sha256, f.subject,
    f.issuer, f.serial, f.not_after, f.signed, f.signature, h.user_number, c.client_id, h.given_name, h.surname, c.name AS company
FROM means m JOIN foreign_certificate f ON f.means_id = m.id JOIN holder h ON h.id = m.holder_id JOIN company c ON c.id = h.company_id
WHERE m.id = @id;

-- name: LockForeignCertificate :one
SELECT m.id, m.holder_id, m.state, m.label, m.requested_by, m.suspended_by, f.trusted, f.der, f.sha256, f.spki_sha256
FROM means m JOIN foreign_certificate f ON f.means_id = m.id WHERE m.id = @id FOR UPDATE OF m;

-- name: SetForeignState :execrows
UPDATE means SET state = @to_state, suspended_by = @suspended_by, updated_at = @at WHERE id = @id AND state = @from_state;

-- name: ForeignCertificates :many
SELECT m.id, m.holder_id, m.state, m.label, m.requested_by, m.updated_at, f.trusted, f.subject, f.issuer, f.serial, f.not_after, h.user_number, c.client_id
FROM means m JOIN foreign_certificate f ON f.means_id = m.id JOIN holder h ON h.id = m.holder_id JOIN company c ON c.id = h.company_id
WHERE m.id > @after AND (@every::boolean OR m.state = 'proposed') ORDER BY m.id LIMIT @max_rows;

-- name: ForeignOfHolder :many
SELECT m.id, f.trusted, f.der FROM means m JOIN foreign_certificate f ON f.means_id = m.id
WHERE m.holder_id = @holder_id AND m.state = 'active' ORDER BY m.id LIMIT @max_rows;

-- name: ForeignBinding :many
SELECT m.id, m.holder_id, m.state FROM foreign_certificate f JOIN means m ON m.id = f.means_id
WHERE f.sha256 = @sha256 AND m.state IN ('active', 'suspended') ORDER BY m.id;

-- name: TouchForeign :exec
UPDATE means SET last_used_at = @at::timestamptz WHERE id = @id;

-- Of a certificate of the house, what a relying service may know.
-- name: HouseCertificate :one
SELECT c.id, c.holder_id, c.state, c.der, c.service, c.revoked_at, c.reason FROM certificate c
WHERE c.serial = @serial AND c.issuer_id = @issuer_id;
