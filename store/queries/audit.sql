-- name: InsertAudit :exec
INSERT INTO audit_entry (at, actor, role, thing, thing_id, event, from_state, to_state, detail)
VALUES (@at, @actor, @role, @thing, @thing_id, @event, @from_state, @to_state, @detail);

-- name: AuditOf :many
SELECT id, at, actor, role, thing, thing_id, event, from_state, to_state, detail FROM audit_entry
WHERE thing_id = @thing_id ORDER BY id;

-- name: NewestAuditOf :many
SELECT id, at, actor, role, thing, thing_id, event, from_state, to_state, detail FROM audit_entry
WHERE thing_id = @thing_id AND event = ANY (@events::text[]) ORDER BY id DESC LIMIT @max_rows;

-- name: AuditOfThings :many
SELECT id, at, actor, role, thing, thing_id, event, from_state, to_state, detail FROM audit_entry
WHERE thing = @thing ORDER BY id;

-- name: CountAudit :one
SELECT count(*) FROM audit_entry;

-- name: Now :one
SELECT clock_timestamp()::timestamptz;

-- name: CountScripts :one
SELECT count(*) FROM audit_entry
WHERE thing_id = @card_id::text AND event = 'issue_script' AND detail ->> 'order' = @order_id::text;

-- name: InsertAudits :exec
INSERT INTO audit_entry (at, actor, role, thing, thing_id, event, from_state, to_state, detail)
SELECT @at, @actor, @role, @thing, n.id, @event, @from_state, @to_state, n.detail::jsonb
FROM (SELECT unnest(@ids::text[]) AS id, unnest(@details::text[]) AS detail) n;
