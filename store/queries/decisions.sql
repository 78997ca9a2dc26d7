-- Who is concerned: company, user, what the user may sign now, whether they are
-- stopped. A question about nobody has no row.
-- name: DecisionUsers :many
SELECT q.n::integer AS question, o.id AS company_id, o.country, coalesce(h.id, '')::text AS holder_id,
    coalesce(CASE WHEN EXISTS (SELECT 1 FROM card c WHERE c.holder_id = h.id AND c.state::text = ANY (@usable::text[]))
        OR EXISTS (SELECT 1 FROM certificate n WHERE n.holder_id = h.id AND n.state = 'active' AND n.not_after > @at::timestamptz)
        OR EXISTS (SELECT 1 FROM means m WHERE m.holder_id = h.id AND m.state = 'active' AND m.kind <> 'code') THEN e.grants END, '[]')::jsonb AS grants,
    EXISTS (SELECT 1 FROM emergency_stop s WHERE s.company_id = o.id AND s.state <> 'lifted' AND (s.holder_id IS NULL OR s.holder_id = h.id))::boolean AS stopped
FROM (SELECT unnest(@questions::integer[]) AS n, unnest(@clients::text[]) AS client, unnest(@users::text[]) AS user_number) q
JOIN company o ON o.client_id = q.client
LEFT JOIN holder h ON h.company_id = o.id AND h.user_number = q.user_number
LEFT JOIN entitlement e ON e.holder_id = h.id AND e.state = 'live'
WHERE h.id IS NOT NULL OR q.user_number = '';

-- The values that hold, of company, user and account, for each question.
-- name: SettingsInForce :many
SELECT q.n::integer AS question, s.setting, coalesce(s.holder_id, '')::text AS holder, s.account, s.version, s.new_value
FROM (SELECT unnest(@questions::integer[]) AS n, unnest(@companies::text[]) AS company, unnest(@holders::text[]) AS holder,
    unnest(@accounts::text[]) AS account) q
CROSS JOIN LATERAL (
    SELECT DISTINCT ON (c.setting, c.holder_id, c.account) c.setting, c.holder_id, c.account, c.version, c.new_value
    FROM setting_change c
    WHERE c.company_id = q.company AND (c.holder_id IS NULL OR c.holder_id = q.holder) AND (c.account = '' OR c.account = q.account)
        AND c.state = 'accepted' AND c.effective_from <= @at::timestamptz
        AND (c.effective_until IS NULL OR c.effective_until > @at AND NOT EXISTS (
            SELECT 1 FROM setting_change n WHERE n.company_id = c.company_id AND n.setting = c.setting
                AND coalesce(n.holder_id, '') = coalesce(c.holder_id, '') AND n.account = c.account
                AND n.version > c.version AND n.state = 'accepted' AND n.effective_from <= @at))
    ORDER BY c.setting, c.holder_id, c.account, c.version DESC) s;

-- name: InsertDecisionCounters :exec
INSERT INTO decision_counter (place) SELECT DISTINCT p FROM unnest(@places::text[]) p
WHERE NOT EXISTS (SELECT 1 FROM decision_counter c WHERE c.place = p) ORDER BY p ON CONFLICT DO NOTHING;

-- In one order, so that no two wait for each other.
-- name: LockDecisionCounters :many
SELECT place, totals, uses FROM decision_counter WHERE place = ANY (@places::text[]) ORDER BY place FOR UPDATE;

-- name: SetDecisionCounters :exec
UPDATE decision_counter c SET totals = n.totals::jsonb, uses = n.uses
FROM (SELECT unnest(@places::text[]) AS place, unnest(@totals::text[]) AS totals, unnest(@uses::integer[]) AS uses) n WHERE c.place = n.place;

-- name: Decisions :many
SELECT d.service, d.operation, d.facts_sha256, d.company_id, d.holder_id, d.kind, d.result, d.rule, d.setting, d.level, d.version, d.signatures, d.decided_at
FROM (SELECT unnest(@services::text[]) AS service, unnest(@operations::text[]) AS operation) q
JOIN decision d ON d.service = q.service AND d.operation = q.operation;

-- name: InsertDecisions :execrows
INSERT INTO decision (service, operation, facts_sha256, company_id, holder_id, kind, result, rule, setting, level, version, signatures, decided_at)
SELECT unnest(@services::text[]), unnest(@operations::text[]), unnest(@facts::bytea[]), nullif(unnest(@companies::text[]), ''),
    nullif(unnest(@holders::text[]), ''), unnest(@kinds::text[]), unnest(@results::text[]), unnest(@rules::text[]), unnest(@settings::text[]),
    unnest(@levels::text[]), unnest(@versions::integer[]), unnest(@signatures::integer[]), @at::timestamptz
ON CONFLICT DO NOTHING;

-- What relying services bring as signatures, held in one order.
-- name: LockSignatures :many
SELECT a.id, a.service, a.client_id, a.user_number, a.function, a.content, a.decided_at,
    EXISTS (SELECT 1 FROM authentication_use u WHERE u.authentication_id = a.id)::boolean AS used,
    EXISTS (SELECT 1 FROM emergency_stop s JOIN holder h ON h.company_id = s.company_id
        WHERE h.id = a.holder_id AND s.state <> 'lifted' AND (s.holder_id IS NULL OR s.holder_id = h.id))::boolean AS stopped
FROM authentication a WHERE a.id = ANY (@ids::text[]) AND a.state = 'accepted' ORDER BY a.id FOR UPDATE OF a;

-- name: UseAuthentications :exec
INSERT INTO authentication_use (authentication_id, used_for, used_at)
SELECT unnest(@ids::text[]), unnest(@used_for::text[]), @at::timestamptz;
