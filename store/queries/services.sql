-- name: InsertService :exec
INSERT INTO relying_service (id, name, created_at) VALUES (@id, @name, @created_at);

-- name: LockService :one
SELECT id, name, created_at, ended_at, calls_a_minute FROM relying_service WHERE id = @id FOR UPDATE;

-- name: Services :many
SELECT id, name, created_at, ended_at, calls_a_minute FROM relying_service ORDER BY id;

-- name: EndService :exec
UPDATE relying_service SET ended_at = @at WHERE id = @id AND ended_at IS NULL;

-- name: InsertAPIKey :exec
INSERT INTO api_key (id, service_id, name, sha256, scopes, created_at, expires_at, branch_id)
VALUES (@id, @service_id, @name, @sha256, @scopes, @created_at, @expires_at, sqlc.narg('branch_id'));

-- name: APIKeyByHash :one
SELECT k.id, k.service_id, k.name, k.sha256, k.scopes, k.expires_at, k.branch_id, k.last_used_at, s.calls_a_minute
FROM api_key k JOIN relying_service s ON s.id = k.service_id
WHERE k.sha256 = @sha256 AND s.ended_at IS NULL;

-- name: UseAPIKey :exec
UPDATE api_key SET last_used_at = @at WHERE id = @id AND (last_used_at IS NULL OR last_used_at < @before);

-- name: LockAPIKey :one
SELECT id, service_id, name, scopes, expires_at, branch_id FROM api_key WHERE id = @id FOR UPDATE;

-- name: APIKeys :many
SELECT k.id, k.service_id, s.name AS service, k.scopes, k.created_at, k.expires_at, k.last_used_at, b.code AS branch
FROM api_key k JOIN relying_service s ON s.id = k.service_id LEFT JOIN branch b ON b.id = k.branch_id
WHERE @ended::boolean OR k.expires_at > @now AND s.ended_at IS NULL
ORDER BY k.service_id, k.id;

-- name: CountAPIKeys :one
SELECT count(*) FROM api_key WHERE service_id = @service_id AND expires_at > @now;

-- name: EndAPIKey :execrows
-- A key that ends sooner already does.
UPDATE api_key SET expires_at = @at WHERE id = @id AND expires_at > @at;

-- name: BindCertificate :exec
INSERT INTO service_certificate (sha256, service_id, certificate_id, scopes, bound_at)
VALUES (@sha256, @service_id, @certificate_id, @scopes, @bound_at);

-- name: UnbindCertificate :execrows
DELETE FROM service_certificate WHERE service_id = @service_id AND certificate_id = @certificate_id;

-- name: BoundCertificates :many
SELECT b.service_id, b.certificate_id, b.scopes, b.bound_at, c.serial, c.state
FROM service_certificate b JOIN certificate c ON c.id = b.certificate_id ORDER BY b.service_id, b.certificate_id;

-- name: ServiceByCertificate :one
-- An emergency stop of its company, or of who has the certificate, holds it too.
SELECT s.id, s.name, s.calls_a_minute, b.scopes, b.certificate_id
FROM service_certificate b JOIN relying_service s ON s.id = b.service_id JOIN certificate c ON c.id = b.certificate_id
    JOIN holder h ON h.id = c.holder_id
WHERE b.sha256 = @sha256 AND s.ended_at IS NULL AND c.state = 'active' AND c.not_before <= @now::timestamptz AND c.not_after > @now::timestamptz
    AND NOT EXISTS (SELECT FROM emergency_stop e WHERE e.company_id = h.company_id AND coalesce(e.holder_id, h.id) = h.id AND e.state <> 'lifted');
