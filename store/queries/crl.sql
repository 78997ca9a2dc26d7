-- name: LockCRLShard :one
SELECT revision, number FROM crl_shard WHERE issuer_id = @issuer_id AND shard = @shard FOR UPDATE;

-- name: CRLShards :many
SELECT shard, revision, number FROM crl_shard WHERE issuer_id = @issuer_id ORDER BY shard;

-- name: CRLRevision :one
SELECT revision FROM crl_shard WHERE issuer_id = @issuer_id AND shard = @shard;

-- name: NewestCRL :one
SELECT number, this_update, sha256 FROM crl WHERE issuer_id = @issuer_id AND shard = @shard ORDER BY number DESC LIMIT 1;

-- name: NewestPublishedCRL :one
SELECT number, base_number, revision, scheduled, this_update, next_update, sha256,
    full_size::integer AS full_size, delta_size::integer AS delta_size
FROM crl WHERE issuer_id = @issuer_id AND shard = @shard AND full_size IS NOT NULL ORDER BY number DESC LIMIT 1;

-- The newest scheduled list and the one before it.
-- name: NewestScheduledCRLs :many
SELECT number, revision, this_update FROM crl
WHERE issuer_id = @issuer_id AND shard = @shard AND sha256 IS NOT NULL AND scheduled ORDER BY number DESC LIMIT 2;

-- name: PutCRLPieces :copyfrom
INSERT INTO crl_piece (issuer_id, shard, number, delta, start, der) VALUES (@issuer_id, @shard, @number, @delta, @start, @der);

-- name: CRLPieces :many
SELECT der FROM crl_piece
WHERE issuer_id = @issuer_id AND shard = @shard AND number = @number AND delta = @delta AND start >= @start
ORDER BY start LIMIT @max_rows;

-- name: RaiseCRLNumber :exec
UPDATE crl_shard SET number = @number WHERE issuer_id = @issuer_id AND shard = @shard AND number < @number;

-- name: RaiseCRLRevisionTo :exec
UPDATE crl_shard SET revision = @revision WHERE issuer_id = @issuer_id AND shard = @shard AND revision < @revision;

-- name: ReserveCRL :exec
INSERT INTO crl (issuer_id, shard, number, base_number, revision, scheduled, this_update, next_update)
VALUES (@issuer_id, @shard, @number, @base_number, @revision, @scheduled, @this_update, @next_update);

-- name: FenceCRL :one
UPDATE crl SET fence = fence + 1, base_number = @base_number, this_update = @this_update, next_update = @next_update,
    scheduled = scheduled OR @scheduled
WHERE issuer_id = @issuer_id AND shard = @shard AND number = @number AND sha256 IS NULL RETURNING fence;

-- name: FinishCRL :execrows
UPDATE crl SET full_size = @full_size, delta_size = @delta_size, sha256 = @sha256, entries = @entries, revision = @revision,
    this_update = @this_update, next_update = @next_update
WHERE issuer_id = @issuer_id AND shard = @shard AND number = @number AND fence = @fence AND sha256 IS NULL;

-- name: TakeBackCRL :exec
INSERT INTO crl (issuer_id, shard, number, base_number, revision, scheduled, this_update, next_update, full_size, delta_size, sha256, entries)
VALUES (@issuer_id, @shard, @number, 0, @revision, false, @this_update, @next_update, @full_size, 0, @sha256, @entries);

-- name: DropUnfinishedCRL :exec
DELETE FROM crl WHERE issuer_id = @issuer_id AND shard = @shard AND number = @number AND sha256 IS NULL;

-- name: StatusOfSerials :many
SELECT c.serial, c.id, c.revoked_at, c.reason FROM certificate c WHERE c.serial = ANY(@serials::bytea[]) AND c.issuer_id = @issuer_id
UNION ALL
SELECT h.serial, '' AS id, h.revoked_at, h.reason FROM house_certificate h WHERE h.serial = ANY(@serials::bytea[]) AND h.issuer_id = @issuer_id;

-- name: CountListed :one
SELECT (SELECT count(*) FROM certificate c WHERE c.issuer_id = @issuer_id AND c.shard = @shard AND c.revoked_at IS NOT NULL)
    + (SELECT count(*) FROM house_certificate h WHERE h.issuer_id = @issuer_id AND h.shard = @shard AND h.revoked_at IS NOT NULL) AS n;

-- name: LockProposal :one
SELECT content_sha256, proposed_by, proposed_at FROM proposal WHERE subject = @subject FOR UPDATE;

-- name: PutProposal :exec
INSERT INTO proposal (subject, content_sha256, proposed_by, proposed_at) VALUES (@subject, @content_sha256, @proposed_by, @proposed_at)
ON CONFLICT (subject) DO UPDATE SET content_sha256 = excluded.content_sha256, proposed_by = excluded.proposed_by, proposed_at = excluded.proposed_at;

-- name: DeleteProposal :exec
DELETE FROM proposal WHERE subject = @subject;

-- name: ForgetCRLs :exec
WITH forgotten AS (
    UPDATE crl c SET full_size = NULL, delta_size = NULL
    WHERE c.issuer_id = @issuer_id AND c.shard = @shard AND c.number < @number AND c.full_size IS NOT NULL
        AND (NOT c.scheduled OR c.next_update < @kept_since)
    RETURNING c.number
)
DELETE FROM crl_piece p USING forgotten f WHERE p.issuer_id = @issuer_id AND p.shard = @shard AND p.number = f.number;

-- name: ListedEntries :many
SELECT e.crl_entry FROM (
    SELECT c.serial, c.crl_entry FROM certificate c
    WHERE c.issuer_id = @issuer_id AND c.shard = @shard AND c.revoked_at IS NOT NULL
        AND (@keep_all::boolean OR c.not_after IS NULL OR c.not_after > @kept_since OR c.crl_revision > @kept_revision)
    UNION ALL
    SELECT h.serial, h.crl_entry FROM house_certificate h
    WHERE h.issuer_id = @issuer_id AND h.shard = @shard AND h.revoked_at IS NOT NULL
        AND (@keep_all::boolean OR h.not_after IS NULL OR h.not_after > @kept_since OR h.crl_revision > @kept_revision)
) e ORDER BY e.serial;

-- What changed after a revision and up to another: the entries of what is revoked, removeFromCRL of
-- what was released.
-- name: ChangedEntries :many
SELECT e.crl_entry FROM (
    SELECT c.serial, c.crl_entry FROM certificate c
    WHERE c.issuer_id = @issuer_id AND c.shard = @shard AND c.crl_revision > @since AND c.crl_revision <= @upto AND c.serial IS NOT NULL
    UNION ALL
    SELECT h.serial, h.crl_entry FROM house_certificate h
    WHERE h.issuer_id = @issuer_id AND h.shard = @shard AND h.revoked_at IS NOT NULL AND h.crl_revision > @since AND h.crl_revision <= @upto
) e ORDER BY e.serial;

-- name: MayNotLeave :many
SELECT s.serial::bytea AS serial FROM unnest(@serials::bytea[]) AS s(serial)
WHERE NOT EXISTS (
        SELECT FROM certificate c WHERE c.serial = s.serial AND c.issuer_id = @issuer_id
            AND (c.revoked_at IS NULL AND c.crl_revision > @released_since OR NOT @keep_all::boolean AND c.not_after <= @kept_since))
    AND NOT EXISTS (
        SELECT FROM house_certificate h WHERE h.serial = s.serial AND h.issuer_id = @issuer_id
            AND NOT @keep_all::boolean AND h.not_after <= @kept_since);

-- name: InsertHouseCertificate :exec
INSERT INTO house_certificate (serial, issuer_id, shard, kind, subject, not_after, created_at)
VALUES (@serial, @issuer_id, @shard, @kind, @subject, @not_after, @created_at)
ON CONFLICT (serial) DO NOTHING;

-- name: InsertLostCertificate :execrows
INSERT INTO house_certificate (serial, issuer_id, shard, kind, subject, revoked_at, reason, invalidity_date, crl_revision, crl_entry, created_at)
VALUES (@serial, @issuer_id, @shard, 'lost', '', @revoked_at, @reason, sqlc.narg('invalidity_date'), @crl_revision, @crl_entry, @created_at)
ON CONFLICT (serial) DO NOTHING;

-- name: LockHouseCertificate :one
SELECT serial, issuer_id, shard, kind, subject, not_after, revoked_at, reason, invalidity_date, crl_revision, created_at
FROM house_certificate WHERE serial = @serial FOR UPDATE;

-- name: HouseCertificates :many
SELECT serial, issuer_id, shard, kind, subject, not_after, revoked_at, reason, invalidity_date, created_at
FROM house_certificate ORDER BY created_at, serial;

-- name: SetHouseCertificateRevoked :exec
UPDATE house_certificate SET revoked_at = @revoked_at, reason = @reason, invalidity_date = sqlc.narg('invalidity_date'),
    crl_revision = @crl_revision, crl_entry = @crl_entry
WHERE serial = @serial;

-- What keeps a CA from its last list: certificates that are neither expired nor
-- revoked, and those that it is about to sign. Its delegates end with it.
-- name: AliveOf :one
SELECT (SELECT count(*) FROM certificate c WHERE c.issuer_id = @issuer_id
        AND c.state IN ('issuing', 'stopped', 'issued', 'active', 'held') AND (c.not_after IS NULL OR c.not_after > @at))
    + (SELECT count(*) FROM house_certificate h WHERE h.issuer_id = @issuer_id AND h.kind = 'ca' AND h.revoked_at IS NULL AND h.not_after > @at)
    AS alive;

-- name: LockHouseUnrevoked :many
SELECT serial, issuer_id, shard, kind, subject FROM house_certificate
WHERE issuer_id = @issuer_id AND revoked_at IS NULL AND not_after > @at ORDER BY serial FOR UPDATE;

-- Shards whose newest list is not the last one.
-- name: ShardsNotEnded :one
SELECT count(*) FROM crl_shard s WHERE s.issuer_id = @issuer_id AND coalesce(
    (SELECT c.next_update FROM crl c WHERE c.issuer_id = s.issuer_id AND c.shard = s.shard AND c.sha256 IS NOT NULL ORDER BY c.number DESC LIMIT 1),
    '-infinity') < @last;
