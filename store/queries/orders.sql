-- name: InsertImport :exec
INSERT INTO import (id, sha256, taken_by, taken_at) VALUES (@id, @sha256, @taken_by, @taken_at);

-- name: FinishImport :exec
UPDATE import SET sha256 = @sha256, lines = @lines, kept = @kept, refused = @refused WHERE id = @id;

-- name: InsertOrder :exec
INSERT INTO orders (id, kind, state, holder_id, target_card, reason, delivery, branch_id, fee_cents, currency, requested_by,
    reference, import_id, created_at, updated_at)
VALUES (@id, @kind, @state, @holder_id, sqlc.narg('target_card'), @reason, sqlc.narg('delivery'), sqlc.narg('branch_id'),
    @fee_cents, @currency, @requested_by, sqlc.narg('reference'), sqlc.narg('import_id'), @created_at, @created_at);

-- name: Order :one
SELECT id, kind, state, holder_id, target_card, reason, delivery, branch_id, fee_cents, currency, requested_by, revision,
    reference, import_id, failure, created_at, updated_at FROM orders WHERE id = @id;

-- name: LockOrder :one
SELECT id, kind, state, holder_id, target_card, reason, delivery, branch_id, fee_cents, currency, requested_by, revision,
    reference, import_id, failure, created_at, updated_at FROM orders WHERE id = @id FOR UPDATE;

-- name: OrderByReference :one
SELECT id, kind, state, holder_id, target_card, reason, delivery, branch_id, fee_cents, currency, requested_by, revision,
    reference, import_id, failure, created_at, updated_at FROM orders WHERE reference = @reference;

-- name: OrdersInState :many
SELECT id, kind, state, holder_id, target_card, reason, delivery, branch_id, fee_cents, currency, requested_by, revision,
    reference, import_id, failure, created_at, updated_at FROM orders
WHERE state = @state AND id > @after ORDER BY id LIMIT @max_rows;

-- name: SetOrderState :execrows
UPDATE orders SET state = @to_state, failure = @failure, updated_at = @at WHERE id = @id AND state = @from_state;

-- name: EditOrder :execrows
UPDATE orders SET delivery = sqlc.narg('delivery'), branch_id = sqlc.narg('branch_id'), reason = @reason, fee_cents = @fee_cents,
    currency = @currency, revision = revision + 1, requested_by = @requested_by, updated_at = @at
WHERE id = @id AND revision = @revision;

-- name: InsertApproval :exec
INSERT INTO approval (order_id, revision, decision, requested_by, decided_by, content_hash, note, decided_at)
VALUES (@order_id, @revision, @decision, @requested_by, @decided_by, @content_hash, @note, @decided_at);

-- name: Approvals :many
SELECT order_id, revision, decision, requested_by, decided_by, content_hash, note, decided_at
FROM approval WHERE order_id = @order_id ORDER BY revision;

-- name: CountOrders :many
SELECT kind, state, count(*) AS n FROM orders GROUP BY kind, state ORDER BY kind, state;

-- name: HadAHand :one
SELECT (EXISTS (SELECT 1 FROM audit_entry a
        WHERE a.thing_id = @order_id::text AND a.actor = @actor AND a.event IN ('submit', 'edit'))
    OR EXISTS (SELECT 1 FROM orders o JOIN import i ON i.id = o.import_id
        WHERE o.id = @order_id::text AND i.taken_by = @actor))::boolean AS had_a_hand;
