-- name: InsertImport :exec
INSERT INTO import (id, sha256, taken_by, taken_at) VALUES (@id, @sha256, @taken_by, @taken_at);

-- name: FinishImport :exec
UPDATE import SET sha256 = @sha256, lines = @lines, kept = @kept, refused = @refused WHERE id = @id;

-- name: InsertOrder :exec
INSERT INTO orders (id, kind, state, holder_id, target_card, reason, delivery, branch_id, fee_cents, currency, requested_by,
    reference, import_id, product, with_reader, reader_fee_cents, waiver, in_house, urgency, created_at, updated_at)
VALUES (@id, @kind, @state, @holder_id, sqlc.narg('target_card'), @reason, sqlc.narg('delivery'), sqlc.narg('branch_id'),
    @fee_cents, @currency, @requested_by, sqlc.narg('reference'), sqlc.narg('import_id'), @product, @with_reader,
    @reader_fee_cents, @waiver, @in_house, @urgency, @created_at, @created_at);

-- name: Order :one
SELECT id, kind, state, holder_id, target_card, reason, delivery, branch_id, fee_cents, currency, requested_by, revision,
    reference, import_id, failure, created_at, updated_at, product, with_reader, reader_fee_cents, waiver, completed_at, in_house, urgency FROM orders WHERE id = @id;

-- name: LockOrder :one
SELECT id, kind, state, holder_id, target_card, reason, delivery, branch_id, fee_cents, currency, requested_by, revision,
    reference, import_id, failure, created_at, updated_at, product, with_reader, reader_fee_cents, waiver, completed_at, in_house, urgency FROM orders WHERE id = @id FOR UPDATE;

-- name: OrderByReference :one
SELECT id, kind, state, holder_id, target_card, reason, delivery, branch_id, fee_cents, currency, requested_by, revision,
    reference, import_id, failure, created_at, updated_at, product, with_reader, reader_fee_cents, waiver, completed_at, in_house, urgency FROM orders WHERE reference = @reference;

-- name: OrdersInState :many
SELECT id, kind, state, holder_id, target_card, reason, delivery, branch_id, fee_cents, currency, requested_by, revision,
    reference, import_id, failure, created_at, updated_at, product, with_reader, reader_fee_cents, waiver, completed_at, in_house, urgency FROM orders
WHERE state = @state AND id > @after ORDER BY id LIMIT @max_rows;

-- name: SetOrderState :execrows
UPDATE orders SET state = @to_state, failure = @failure, updated_at = @at,
    completed_at = CASE WHEN @to_state = 'completed'::order_state THEN @at ELSE completed_at END
WHERE id = @id AND state = @from_state;

-- name: EditOrder :execrows
UPDATE orders SET delivery = sqlc.narg('delivery'), branch_id = sqlc.narg('branch_id'), in_house = @in_house, reason = @reason, fee_cents = @fee_cents,
    currency = @currency, with_reader = @with_reader, reader_fee_cents = @reader_fee_cents, waiver = @waiver, revision = revision + 1, requested_by = @requested_by, updated_at = @at
WHERE id = @id AND revision = @revision;

-- name: RaiseOrderRevision :exec
UPDATE orders SET revision = revision + 1 WHERE id = @id;

-- name: InsertApproval :exec
INSERT INTO approval (order_id, revision, decision, requested_by, decided_by, content_hash, note, decided_at)
VALUES (@order_id, @revision, @decision, @requested_by, @decided_by, @content_hash, @note, @decided_at);

-- name: Approvals :many
SELECT order_id, revision, decision, requested_by, decided_by, content_hash, note, decided_at
FROM approval WHERE order_id = @order_id ORDER BY revision;

-- name: HadAHand :one
SELECT (EXISTS (SELECT 1 FROM audit_entry a
        WHERE a.thing_id = @order_id::text AND (a.actor = @actor AND a.event IN ('submit', 'edit')
            OR a.event = 'correct' AND a.detail ->> 'by' = @actor))
    OR EXISTS (SELECT 1 FROM orders h JOIN audit_entry a ON a.thing_id = h.holder_id
        WHERE h.id = @order_id::text AND a.event = 'correct' AND a.at >= h.created_at AND coalesce(a.detail ->> 'proposed_by', a.actor) = @actor)
    OR EXISTS (SELECT 1 FROM orders o JOIN import i ON i.id = o.import_id
        WHERE o.id = @order_id::text AND i.taken_by = @actor))::boolean AS had_a_hand;

-- name: OrderFlags :one
SELECT EXISTS (SELECT 1 FROM orders p
        WHERE p.holder_id = o.holder_id AND p.id <> o.id AND p.kind IN ('new_card', 'replacement_card', 'renewal', 'pin_reissue')
            AND p.state NOT IN ('refused', 'cancelled') AND (p.created_at, p.id) < (o.created_at, o.id)
            AND p.created_at > o.created_at - make_interval(days => @card_days))::boolean AS second_card,
    coalesce(h.address_changed_at > o.created_at - make_interval(days => @address_days), false)::boolean AS address_changed
FROM orders o JOIN holder h ON h.id = o.holder_id WHERE o.id = @id;

-- name: FeesDue :many
SELECT o.id, o.kind, o.product, o.reason, o.fee_cents, o.reader_fee_cents, o.currency, o.waiver, o.completed_at, o.reference,
    c.client_id, c.name AS company, h.user_number
FROM orders o JOIN holder h ON h.id = o.holder_id JOIN company c ON c.id = h.company_id
WHERE o.completed_at >= @from_time AND o.completed_at < @to_time AND (o.completed_at, o.id) > (@after_time, @after_id::text)
ORDER BY o.completed_at, o.id LIMIT @max_rows;

-- For a bulk decision: all its orders with their holders and companies, each
-- locked in the order of its identifiers.
-- name: LockOrders :many
SELECT id, kind, state, holder_id, target_card, reason, delivery, branch_id, fee_cents, currency, requested_by, revision,
    reference, import_id, failure, created_at, updated_at, product, with_reader, reader_fee_cents, waiver, completed_at, in_house, urgency FROM orders
WHERE id = ANY (@ids::text[]) ORDER BY id FOR UPDATE;

-- name: LockOrdersOfCards :many
SELECT o.id, o.kind, o.state, o.holder_id, o.target_card, o.reason, o.delivery, o.branch_id, o.fee_cents, o.currency, o.requested_by, o.revision,
    o.reference, o.import_id, o.failure, o.created_at, o.updated_at, o.product, o.with_reader, o.reader_fee_cents, o.waiver, o.completed_at, o.in_house, o.urgency
FROM orders o JOIN card c ON c.order_id = o.id WHERE c.id = ANY (@ids::text[]) ORDER BY o.id FOR UPDATE OF o;

-- name: OrdersWithReader :many
SELECT id FROM orders WHERE id = ANY (@ids::text[]) AND with_reader;

-- name: LockHoldersForShare :many
SELECT id, company_id, user_number, given_name, surname, language, email, complement, street, postcode, city, country, created_at, updated_at,
    address_changed_at, large_print
FROM holder WHERE id = ANY (@ids::text[]) ORDER BY id FOR SHARE;

-- name: Companies :many
SELECT id, client_id, name, country, registry_number, branch_id, created_at FROM company WHERE id = ANY (@ids::text[]);

-- name: FlagsOfOrders :many
SELECT o.id, EXISTS (SELECT 1 FROM orders p
        WHERE p.holder_id = o.holder_id AND p.id <> o.id AND p.kind IN ('new_card', 'replacement_card', 'renewal', 'pin_reissue')
            AND p.state NOT IN ('refused', 'cancelled') AND (p.created_at, p.id) < (o.created_at, o.id)
            AND p.created_at > o.created_at - make_interval(days => @card_days))::boolean AS second_card,
    coalesce(h.address_changed_at > o.created_at - make_interval(days => @address_days), false)::boolean AS address_changed
FROM orders o JOIN holder h ON h.id = o.holder_id WHERE o.id = ANY (@ids::text[]);

-- name: HadAHandInOrders :many
SELECT o.id FROM orders o
WHERE o.id = ANY (@ids::text[]) AND (EXISTS (SELECT 1 FROM audit_entry a
        WHERE a.thing_id = o.id AND (a.actor = @actor AND a.event IN ('submit', 'edit')
            OR a.event = 'correct' AND a.detail ->> 'by' = @actor))
    OR EXISTS (SELECT 1 FROM audit_entry a WHERE a.thing_id = o.holder_id AND a.event = 'correct' AND a.at >= o.created_at
        AND coalesce(a.detail ->> 'proposed_by', a.actor) = @actor)
    OR EXISTS (SELECT 1 FROM import i WHERE i.id = o.import_id AND i.taken_by = @actor));

-- name: SetOrdersState :execrows
UPDATE orders SET state = @to_state, failure = '', updated_at = @at,
    completed_at = CASE WHEN @to_state = 'completed'::order_state THEN @at ELSE completed_at END
WHERE id = ANY (@ids::text[]) AND state = @from_state;

-- name: InsertApprovals :exec
INSERT INTO approval (order_id, revision, decision, requested_by, decided_by, content_hash, note, decided_at)
SELECT o.id, o.revision, 'approved', o.requested_by, @decided_by::text, n.hash, @note::text, @decided_at::timestamptz
FROM (SELECT unnest(@ids::text[]) AS id, unnest(@content_hashes::bytea[]) AS hash) n JOIN orders o ON o.id = n.id;

-- name: OrdersPage :many
SELECT o.id, o.kind, o.state, o.reference, o.failure, c.client_id, h.user_number, o.created_at, o.updated_at
FROM orders o JOIN holder h ON h.id = o.holder_id JOIN company c ON c.id = h.company_id
WHERE o.id > @after AND (@state::text = '' OR o.state::text = @state) AND (@client_id::text = '' OR c.client_id = @client_id)
ORDER BY o.id LIMIT @max_rows;
