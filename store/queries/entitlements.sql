-- name: InsertEntitlement :exec
INSERT INTO entitlement (id, holder_id, state, grants, requested_by, authentication_id, created_at, updated_at)
VALUES (@id, @holder_id, @state, @grants, @requested_by, sqlc.narg('authentication_id'), @created_at, @created_at);

-- name: Entitlement :one
SELECT id, holder_id, state, grants, requested_by, authentication_id, decided_by, why, created_at, updated_at FROM entitlement WHERE id = @id;

-- name: EntitlementsOf :many
SELECT id, holder_id, state, grants, requested_by, authentication_id, decided_by, why, created_at, updated_at FROM entitlement
WHERE holder_id = @holder_id ORDER BY id DESC LIMIT 50;

-- name: EntitlementsInState :many
SELECT id, holder_id, state, grants, requested_by, authentication_id, decided_by, why, created_at, updated_at FROM entitlement
WHERE holder_id = @holder_id AND state = @state FOR UPDATE;

-- name: EntitlementsProposed :many
SELECT id, holder_id, state, grants, requested_by, authentication_id, decided_by, why, created_at, updated_at FROM entitlement
WHERE state = 'proposed' AND id > @after::text ORDER BY id LIMIT @max_rows;

-- name: SetEntitlementState :execrows
UPDATE entitlement SET state = @to_state, decided_by = @decided_by, why = @why, updated_at = @at WHERE id = @id AND state = @from_state;

-- Whether a holder has a strong means of their own now.
-- name: HasStrongMeans :one
SELECT (EXISTS (SELECT 1 FROM card c WHERE c.holder_id = @holder_id AND c.state::text = ANY (@usable::text[]))
    OR EXISTS (SELECT 1 FROM certificate n WHERE n.holder_id = @holder_id AND n.state = 'active' AND n.not_after > @at::timestamptz)
    OR EXISTS (SELECT 1 FROM means m WHERE m.holder_id = @holder_id AND m.state = 'active' AND m.kind <> 'code'))::boolean;

-- What a user may sign now: nothing without a strong means of their own.
-- name: EntitlementInForce :one
SELECT e.grants FROM company o JOIN holder h ON h.company_id = o.id JOIN entitlement e ON e.holder_id = h.id AND e.state = 'live'
WHERE o.client_id = @client_id AND h.user_number = @user_number AND (
    EXISTS (SELECT 1 FROM card c WHERE c.holder_id = h.id AND c.state::text = ANY (@usable::text[]))
    OR EXISTS (SELECT 1 FROM certificate n WHERE n.holder_id = h.id AND n.state = 'active' AND n.not_after > @at::timestamptz)
    OR EXISTS (SELECT 1 FROM means m WHERE m.holder_id = h.id AND m.state = 'active' AND m.kind <> 'code'));

-- Principal users of a company but one, by what is live; whoever asks holds the company.
-- name: OtherPrincipals :many
SELECT e.holder_id FROM entitlement e JOIN holder h ON h.id = e.holder_id
WHERE h.company_id = @company_id AND h.id <> @holder_id AND e.state = 'live' AND e.grants @> '[{"function": "manage_entitlements"}]';

-- name: UseAuthentication :execrows
INSERT INTO authentication_use (authentication_id, used_for, used_at) VALUES (@authentication_id, @used_for, @used_at) ON CONFLICT DO NOTHING;
