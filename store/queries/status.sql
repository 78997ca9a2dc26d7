-- name: CertificateStatus :one
SELECT id, issuer_id, shard, serial, state, revoked_at, reason, invalidity_date, status_version, crl_revision,
    not_after, answer, this_update, next_update, stored
FROM certificate_status WHERE serial = @serial AND issuer_id = @issuer_id;

-- Every status, and every answer, as they are stored: both tables are read from their
-- first page to the last, which costs a tenth of looking each row up by its serial.
-- name: EveryStatus :many
SELECT issuer_id, serial, state, revoked_at, reason, invalidity_date, status_version FROM certificate_status;

-- name: EveryAnswer :many
SELECT serial, status_version, der, this_update, next_update FROM ocsp_answer;

-- What is said of the house's own certificates: of one, of all, and of those that
-- changed in the shards.
-- name: HouseStatus :one
SELECT serial, issuer_id, shard, revoked_at, reason, invalidity_date, crl_revision FROM house_status WHERE serial = @serial AND issuer_id = @issuer_id;

-- name: HouseStatuses :many
SELECT serial, issuer_id, shard, revoked_at, reason, invalidity_date, crl_revision FROM house_status ORDER BY serial;

-- name: HouseStatusesSince :many
SELECT s.serial, s.issuer_id, s.shard, s.revoked_at, s.reason, s.invalidity_date, s.crl_revision
FROM (SELECT unnest(@issuers::text[]) AS issuer_id, unnest(@shards::int[]) AS shard, unnest(@seen::bigint[]) AS seen) AS a
    JOIN house_status s ON s.issuer_id = a.issuer_id AND s.shard = a.shard AND s.crl_revision > a.seen;

-- name: StatusRevisions :many
SELECT issuer_id, shard, revision FROM crl_shard;

-- Statuses that changed in the shards after the revision seen of each, up to the one
-- that it has now: of changes between two bounds the planner expects few, in
-- whatever order they are joined, and takes their index.
-- name: StatusesSince :many
SELECT s.id, s.issuer_id, s.shard, s.serial, s.state, s.revoked_at, s.reason, s.invalidity_date, s.status_version,
    s.crl_revision, s.not_after, s.answer, s.this_update, s.next_update, s.stored
FROM (SELECT unnest(@issuers::text[]) AS issuer_id, unnest(@shards::int[]) AS shard, unnest(@seen::bigint[]) AS seen, unnest(@upto::bigint[]) AS upto) AS a
    CROSS JOIN LATERAL (
        SELECT c.id, c.issuer_id, c.shard, c.serial, c.state, c.revoked_at, c.reason, c.invalidity_date, c.status_version,
            c.crl_revision, c.not_after, c.answer, c.this_update, c.next_update, c.stored
        FROM certificate_status c
        WHERE c.issuer_id = a.issuer_id AND c.shard = a.shard AND c.crl_revision > a.seen AND c.crl_revision <= a.upto OFFSET 0
    ) AS s;

-- name: AnswersSince :many
SELECT id, issuer_id, shard, serial, state, revoked_at, reason, invalidity_date, status_version, crl_revision,
    not_after, answer, this_update, next_update, stored
FROM certificate_status WHERE stored > @since::bigint ORDER BY stored LIMIT @max_rows;

-- name: NewestAnswer :one
SELECT coalesce(max(stored), 0)::bigint FROM ocsp_answer;

-- name: PutOCSPAnswers :exec
INSERT INTO ocsp_answer (serial, status_version, der, this_update, next_update)
SELECT unnest(@serials::bytea[]), unnest(@status_versions::int[]), unnest(@ders::bytea[]), unnest(@this_updates::timestamptz[]),
    unnest(@next_updates::timestamptz[])
ON CONFLICT (serial) DO UPDATE SET status_version = excluded.status_version, der = excluded.der,
    this_update = excluded.this_update, next_update = excluded.next_update, stored = excluded.stored
WHERE ocsp_answer.status_version <= excluded.status_version;

-- name: StaleOCSPAnswers :many
SELECT id, issuer_id, shard, serial, state, revoked_at, reason, invalidity_date, status_version, crl_revision,
    not_after, answer, this_update, next_update, stored
FROM certificate_status
WHERE id > @after AND state IN ('issued', 'active', 'held', 'revoked') AND not_after > @at
    AND (answer IS NULL OR next_update < @renew_before)
ORDER BY id LIMIT @max_rows;

-- A sample to look at from outside: of each shard the newest changes of status,
-- what stands behind a point in the order of serials, and serials that are named.
-- name: CertificatesToWatch :many
WITH picked AS (
    SELECT n.id FROM crl_shard s CROSS JOIN LATERAL (
        SELECT c.id FROM certificate c WHERE c.issuer_id = s.issuer_id AND c.shard = s.shard AND c.serial IS NOT NULL
        ORDER BY c.crl_revision DESC LIMIT @newest::int) n
    UNION
    (SELECT d.id FROM certificate d WHERE d.serial >= @behind::bytea ORDER BY d.serial LIMIT @drawn::int)
    UNION
    SELECT e.id FROM certificate e WHERE e.serial = ANY(@named::bytea[])
)
SELECT c.id, c.issuer_id, c.shard, c.profile, c.der, (c.revoked_at IS NOT NULL)::bool AS revoked, c.updated_at
FROM picked p JOIN certificate c ON c.id = p.id
WHERE c.der IS NOT NULL AND c.not_after > @at::timestamptz AND c.state IN ('issued', 'active', 'held', 'revoked')
ORDER BY c.issuer_id, c.shard, c.id;
