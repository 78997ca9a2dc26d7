-- name: InsertIssuer :exec
INSERT INTO issuer (id, certificate, mount, key_name, shards, online, parent_id, public_base, keeps_expired, state, state_since, created_at)
VALUES (@id, @certificate, @mount, @key_name, @shards, @online, sqlc.narg('parent_id'), @public_base, @keeps_expired, @state, @created_at, @created_at)
ON CONFLICT (id) DO NOTHING;

-- name: Issuer :one
SELECT id, certificate, mount, key_name, shards, online, parent_id, created_at, public_base, keeps_expired, state, state_since, issued_reason FROM issuer WHERE id = @id;

-- name: Issuers :many
SELECT id, certificate, mount, key_name, shards, online, parent_id, created_at, public_base, keeps_expired, state, state_since, issued_reason FROM issuer ORDER BY id;

-- name: LockIssuer :one
SELECT id, certificate, mount, key_name, shards, online, parent_id, created_at, public_base, keeps_expired, state, state_since, issued_reason FROM issuer
WHERE id = @id FOR UPDATE;

-- Locked against another CA's taking over while a serial is reserved.
-- name: SigningIssuer :one
SELECT id, shards FROM issuer WHERE state = 'signing' AND online FOR SHARE;

-- name: SigningIssuerID :one
SELECT id FROM issuer WHERE state = 'signing' AND online;

-- name: SetIssuerState :execrows
UPDATE issuer SET state = @to_state, state_since = @at WHERE id = @id AND state = @from_state;

-- name: SetIssuedReason :exec
UPDATE issuer SET issued_reason = @reason WHERE id = @id;

-- What a revoked CA has signed, or is about to.
-- name: LockIssuedBy :many
SELECT id, order_id, holder_id, state, profile, csr, spki_sha256, issuer_id, shard, serial, reserved_at, tbs, der, not_before,
    not_after, fence, rejection, revoked_at, reason, invalidity_date, status_version, crl_revision, created_at, updated_at, crl_entry,
    stopped, profile_version, service, dossier_id
FROM certificate
WHERE issuer_id = @issuer_id AND state IN ('issuing', 'stopped', 'issued', 'active', 'held') AND (not_after IS NULL OR not_after > @at)
ORDER BY id LIMIT @max_rows FOR UPDATE;

-- name: SetCertificatesState :execrows
UPDATE certificate SET state = @to_state, updated_at = @at WHERE id = ANY (@ids::text[]) AND state = @from_state;

-- name: SetCertificatesRevoked :execrows
UPDATE certificate c SET revoked_at = r.revoked_at, reason = @reason, status_version = c.status_version + 1, crl_revision = r.crl_revision,
    crl_entry = r.crl_entry
FROM (SELECT unnest(@ids::text[]) AS id, unnest(@revoked_ats::timestamptz[]) AS revoked_at, unnest(@crl_revisions::bigint[]) AS crl_revision,
    unnest(@crl_entries::bytea[]) AS crl_entry) AS r
WHERE c.id = r.id;

-- Whom a revoked CA's end concerns: holders of certificates that had not expired.
-- name: RevokedWith :many
SELECT c.id, c.serial, c.holder_id, h.given_name, h.surname, o.name AS company, c.not_after
FROM certificate c JOIN holder h ON h.id = c.holder_id JOIN company o ON o.id = h.company_id JOIN issuer i ON i.id = c.issuer_id
WHERE c.issuer_id = @issuer_id AND c.state = 'revoked' AND c.reason = i.issued_reason AND c.revoked_at >= date_trunc('second', i.state_since)
    AND c.id > @after
ORDER BY c.id LIMIT @max_rows;

-- name: Delegates :many
SELECT issuer_id, purpose, certificate, key_name, not_after, created_at FROM delegate ORDER BY issuer_id, purpose, not_after;

-- name: InsertDelegate :exec
INSERT INTO delegate (issuer_id, purpose, certificate, key_name, not_after, created_at)
VALUES (@issuer_id, @purpose, @certificate, @key_name, @not_after, @created_at);

-- name: NewestDelegate :one
SELECT issuer_id, purpose, certificate, key_name, not_after, created_at FROM delegate
WHERE issuer_id = @issuer_id AND purpose = @purpose ORDER BY not_after DESC LIMIT 1;

-- name: CrossCertificates :many
SELECT x.issuer_id, x.subject_id, x.certificate, (h.revoked_at IS NOT NULL)::boolean AS revoked
FROM cross_certificate x JOIN house_status h ON h.serial = x.serial ORDER BY x.created_at, x.issuer_id;

-- name: InsertCrossCertificate :execrows
INSERT INTO cross_certificate (issuer_id, subject_id, serial, certificate, created_at)
VALUES (@issuer_id, @subject_id, @serial, @certificate, @created_at)
ON CONFLICT (issuer_id, subject_id) DO NOTHING;

-- name: InsertCertificate :exec
INSERT INTO certificate (id, order_id, holder_id, state, profile, service, created_at, updated_at)
VALUES (@id, @order_id, @holder_id, @state, @profile, @service, @created_at, @created_at);

-- name: SetProfileVersion :exec
UPDATE certificate SET profile_version = @profile_version::integer WHERE id = @id;

-- name: Certificate :one
SELECT id, order_id, holder_id, state, profile, csr, spki_sha256, issuer_id, shard, serial, reserved_at, tbs, der, not_before,
    not_after, fence, rejection, revoked_at, reason, invalidity_date, status_version, crl_revision, created_at, updated_at, crl_entry,
    stopped, profile_version, service, dossier_id
FROM certificate WHERE id = @id;

-- name: LockCertificate :one
SELECT id, order_id, holder_id, state, profile, csr, spki_sha256, issuer_id, shard, serial, reserved_at, tbs, der, not_before,
    not_after, fence, rejection, revoked_at, reason, invalidity_date, status_version, crl_revision, created_at, updated_at, crl_entry,
    stopped, profile_version, service, dossier_id
FROM certificate WHERE id = @id FOR UPDATE;

-- name: CertificateByOrder :one
SELECT id, order_id, holder_id, state, profile, csr, spki_sha256, issuer_id, shard, serial, reserved_at, tbs, der, not_before,
    not_after, fence, rejection, revoked_at, reason, invalidity_date, status_version, crl_revision, created_at, updated_at, crl_entry,
    stopped, profile_version, service, dossier_id
FROM certificate WHERE order_id = @order_id;

-- name: CertificateIDBySerial :one
SELECT id FROM certificate WHERE serial = @serial;

-- name: AllCertificates :many
SELECT id, holder_id, state, serial, der FROM certificate WHERE id > @after ORDER BY id LIMIT @max_rows;

-- name: SetCertificateState :execrows
UPDATE certificate SET state = @to_state, updated_at = @at WHERE id = @id AND state = @from_state;

-- name: SetCertificateKey :exec
UPDATE certificate SET csr = @csr, spki_sha256 = @spki_sha256, rejection = '' WHERE id = @id;

-- name: RejectCertificateKey :exec
UPDATE certificate SET csr = NULL, spki_sha256 = NULL, serial = NULL, issuer_id = NULL, shard = NULL, reserved_at = NULL,
    rejection = @rejection WHERE id = @id AND tbs IS NULL;

-- name: StopCertificate :exec
UPDATE certificate SET stopped = @stopped WHERE id = @id AND tbs IS NULL;

-- What was reserved for a draft that was never made is another's no more: the next
-- draft has its own.
-- name: UnreserveSerial :exec
UPDATE certificate SET serial = NULL, issuer_id = NULL, shard = NULL, reserved_at = NULL, stopped = '' WHERE id = @id AND tbs IS NULL;

-- What an approval fixed and a holder brought, of a certificate that is approved anew.
-- name: UnapproveCertificate :exec
UPDATE certificate SET csr = NULL, spki_sha256 = NULL, serial = NULL, issuer_id = NULL, shard = NULL, reserved_at = NULL, stopped = '',
    rejection = '', profile_version = NULL, dossier_id = NULL WHERE id = @id AND tbs IS NULL;

-- name: BindSubject :exec
INSERT INTO subject_name (sha256, owner, first_used) VALUES (@sha256, @owner, @first_used) ON CONFLICT (sha256) DO NOTHING;

-- name: SubjectOwner :one
SELECT owner FROM subject_name WHERE sha256 = @sha256;

-- name: FenceCertificate :one
UPDATE certificate SET fence = fence + 1 WHERE id = @id RETURNING fence;

-- name: ReserveSerial :exec
UPDATE certificate SET issuer_id = @issuer_id, shard = @shard, serial = @serial, reserved_at = @reserved_at
WHERE id = @id AND serial IS NULL;

-- name: SetCertificateTBS :execrows
UPDATE certificate SET tbs = @tbs, not_before = @not_before, not_after = @not_after
WHERE id = @id AND fence = @fence AND serial IS NOT NULL AND tbs IS NULL;

-- name: SetCertificateDER :exec
UPDATE certificate SET der = @der WHERE id = @id AND der IS NULL;

-- name: SetCertificateRevoked :exec
UPDATE certificate SET revoked_at = @revoked_at, reason = @reason, invalidity_date = sqlc.narg('invalidity_date'),
    status_version = status_version + 1, crl_revision = @crl_revision, crl_entry = @crl_entry
WHERE id = @id;

-- name: SetCertificateReleased :exec
UPDATE certificate SET revoked_at = NULL, reason = NULL, invalidity_date = NULL, status_version = status_version + 1,
    crl_revision = @crl_revision, crl_entry = @crl_entry
WHERE id = @id;

-- name: RaiseCRLRevision :one
UPDATE crl_shard SET revision = revision + 1 WHERE issuer_id = @issuer_id AND shard = @shard RETURNING revision;

-- name: InsertCRLShard :exec
INSERT INTO crl_shard (issuer_id, shard) VALUES (@issuer_id, @shard) ON CONFLICT DO NOTHING;

-- name: CertificatesToExpire :many
SELECT id FROM certificate WHERE state IN ('issued', 'active', 'held') AND not_after < @at ORDER BY id LIMIT @max_rows;
