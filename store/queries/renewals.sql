-- name: InsertRenewal :exec
INSERT INTO renewal (certificate_id, renews, reason, ordered_by, ordered_at) VALUES (@certificate_id, @renews, @reason, @ordered_by, @ordered_at);

-- name: LiveRenewal :one
SELECT r.certificate_id FROM renewal r JOIN certificate n ON n.id = r.certificate_id
WHERE r.renews = @renews AND n.state NOT IN ('cancelled', 'revoked', 'expired') LIMIT 1;

-- Certificates that end soon, and that no living one renews.
-- name: CertificatesToRenew :many
SELECT c.id FROM certificate c
WHERE c.state IN ('active', 'held') AND c.not_after > @at AND c.not_after <= @before AND (@profile::text = '' OR c.profile = @profile) AND c.id > @after
    AND NOT EXISTS (SELECT 1 FROM renewal r JOIN certificate n ON n.id = r.certificate_id
        WHERE r.renews = c.id AND n.state NOT IN ('cancelled', 'revoked', 'expired'))
ORDER BY c.id LIMIT @max_rows;

-- name: Renewals :many
SELECT r.certificate_id, r.renews, o.not_after, n.state, e.handed_at AS invited_at, a.accepted_at, r.ended_at
FROM renewal r JOIN certificate o ON o.id = r.renews JOIN certificate n ON n.id = r.certificate_id
    LEFT JOIN enrolment e ON e.certificate_id = n.id LEFT JOIN acceptance a ON a.certificate_id = n.id
WHERE r.certificate_id > @after ORDER BY r.certificate_id LIMIT @max_rows;

-- name: RenewalsDue :many
SELECT r.certificate_id, r.renews FROM renewal r JOIN acceptance a ON a.certificate_id = r.certificate_id
WHERE r.ended_at IS NULL AND a.accepted_at <= @before ORDER BY a.accepted_at, r.certificate_id LIMIT @max_rows;

-- name: EndRenewal :exec
UPDATE renewal SET ended_at = @ended_at::timestamptz WHERE certificate_id = @certificate_id AND ended_at IS NULL;
