-- name: InsertStockPlace :exec
INSERT INTO stock_place (code, kind, name) VALUES (@code, @kind, @name) ON CONFLICT (code) DO NOTHING;

-- name: StockPlace :one
SELECT code, kind, name FROM stock_place WHERE code = @code;

-- name: InsertStockItem :execrows
INSERT INTO stock_item (code, kind, name, serial_prefix, serial_digits)
VALUES (@code, @kind, @name, @serial_prefix, @serial_digits) ON CONFLICT (code) DO NOTHING;

-- name: StockItem :one
SELECT number, code, kind, name, serial_prefix, serial_digits FROM stock_item WHERE code = @code;

-- name: StockItems :many
SELECT number, code, kind, name, serial_prefix, serial_digits FROM stock_item ORDER BY code;

-- name: LockStockItem :one
SELECT number, code, kind, name, serial_prefix, serial_digits FROM stock_item WHERE code = @code FOR UPDATE;

-- name: DeleteStockMinima :exec
DELETE FROM stock_minimum WHERE item = @item;

-- name: InsertStockMinimum :exec
INSERT INTO stock_minimum (item, place, quantity) VALUES (@item, @place, @quantity);

-- name: InsertStockMovement :exec
INSERT INTO stock_movement (at, actor, role, event, item, quantity, first_serial, last_serial, from_place, from_condition, to_place,
    to_condition, reference, reason)
VALUES (@at, @actor, @role, @event, @item, @quantity, sqlc.narg('first_serial'), sqlc.narg('last_serial'), sqlc.narg('from_place'),
    sqlc.narg('from_condition'), @to_place, @to_condition, @reference, @reason);

-- name: StockMovements :many
SELECT id, at, actor, role, event, item, quantity, first_serial, last_serial, from_place, from_condition, to_place, to_condition, reference,
    reason FROM stock_movement WHERE item = @item AND id > @after ORDER BY id LIMIT @max_rows;

-- name: StockBalance :one
SELECT coalesce((SELECT quantity FROM stock_balance WHERE item = @item AND place = @place AND condition = @condition), 0)::bigint AS quantity;

-- name: TakeFromBalance :execrows
UPDATE stock_balance SET quantity = quantity - @quantity
WHERE item = @item AND place = @place AND condition = @condition AND quantity >= @quantity;

-- name: AddToBalance :exec
INSERT INTO stock_balance (item, place, condition, quantity) VALUES (@item, @place, @condition, @quantity)
ON CONFLICT (item, place, condition) DO UPDATE SET quantity = stock_balance.quantity + excluded.quantity;

-- name: StockBalances :many
SELECT b.item, i.kind, i.name, b.place, p.name AS place_name, b.condition, b.quantity,
    (CASE WHEN b.condition = 'good' THEN coalesce(m.quantity, 0) ELSE 0 END)::bigint AS minimum
FROM stock_balance b JOIN stock_item i ON i.code = b.item JOIN stock_place p ON p.code = b.place
    LEFT JOIN stock_minimum m ON m.item = b.item AND m.place = b.place
WHERE b.quantity > 0 OR (b.condition = 'good' AND m.quantity > 0)
ORDER BY b.item, b.place, b.condition;

-- name: RangesFrom :many
SELECT place, condition, first_serial, last_serial FROM stock_range
WHERE item_number = @item_number AND place = @place AND condition = @condition AND first_serial >= @least
ORDER BY first_serial LIMIT @max_rows;

-- name: RangesOver :many
SELECT place, condition, first_serial, last_serial FROM stock_range
WHERE int4range(item_number, item_number, '[]') && int4range(@item_number::integer, @item_number::integer, '[]')
    AND int8range(first_serial, last_serial, '[]') && int8range(@least::bigint, @most::bigint, '[]')
ORDER BY first_serial;

-- name: DeleteRange :execrows
DELETE FROM stock_range WHERE item_number = @item_number AND first_serial = @first_serial AND place = @place AND condition = @condition;

-- name: InsertRange :exec
INSERT INTO stock_range (item_number, place, condition, first_serial, last_serial)
VALUES (@item_number, @place, @condition, @first_serial, @last_serial);

-- name: InsertConsignment :exec
INSERT INTO stock_consignment (id, state, item, from_place, to_place, sent, outstanding, sent_by, sent_at)
VALUES (@id, @state, @item, @from_place, @to_place, @sent, @sent, @sent_by, @sent_at);

-- name: LockConsignment :one
SELECT id, state, item, from_place, to_place, sent, outstanding, sent_by, sent_at, received_by, settled_by, reason
FROM stock_consignment WHERE id = @id FOR UPDATE;

-- name: OpenConsignments :many
SELECT id, state, item, from_place, to_place, sent, outstanding, sent_by, sent_at, received_by, settled_by, reason
FROM stock_consignment WHERE state IN ('sent', 'differing') ORDER BY id LIMIT @max_rows;

-- name: SetConsignment :execrows
UPDATE stock_consignment SET state = @to_state, outstanding = @outstanding, received_by = @received_by, settled_by = @settled_by,
    reason = @reason
WHERE id = @id AND state = @from_state;

-- name: InsertCount :exec
INSERT INTO stock_count (id, state, item, place, first_by, first_at, first_found)
VALUES (@id, @state, @item, @place, @first_by, @first_at, @first_found);

-- name: LockCount :one
SELECT id, state, item, place, first_by, first_at, first_found, second_by, second_found, decided_by, reason
FROM stock_count WHERE id = @id FOR UPDATE;

-- name: LockOpenCount :one
SELECT id, state, item, place, first_by, first_at, first_found, second_by, second_found, decided_by, reason
FROM stock_count WHERE item = @item AND place = @place AND state IN ('counted_once', 'differing') FOR UPDATE;

-- name: OpenCounts :many
SELECT id, state, item, place, first_by, first_at, first_found, second_by, second_found, decided_by, reason
FROM stock_count WHERE state IN ('counted_once', 'differing') ORDER BY id LIMIT @max_rows;

-- name: SetCount :execrows
UPDATE stock_count SET state = @to_state, second_by = @second_by, second_found = @second_found, decided_by = @decided_by, reason = @reason
WHERE id = @id AND state = @from_state;

-- name: InsertDestruction :exec
INSERT INTO stock_destruction (id, state, item, place, goods, reason, method, proposed_by, proposed_at)
VALUES (@id, @state, @item, @place, @goods, @reason, @method, @proposed_by, @proposed_at);

-- name: LockDestruction :one
SELECT id, state, item, place, goods, reason, method, proposed_by, proposed_at, destroyed_by, destroyed_at
FROM stock_destruction WHERE id = @id FOR UPDATE;

-- name: Destruction :one
SELECT id, state, item, place, goods, reason, method, proposed_by, proposed_at, destroyed_by, destroyed_at
FROM stock_destruction WHERE id = @id;

-- name: OpenDestructions :many
SELECT id, state, item, place, goods, reason, method, proposed_by, proposed_at, destroyed_by, destroyed_at
FROM stock_destruction WHERE state = 'proposed' ORDER BY id LIMIT @max_rows;

-- name: SetDestruction :execrows
UPDATE stock_destruction SET state = @to_state, destroyed_by = @destroyed_by, destroyed_at = sqlc.narg('destroyed_at')
WHERE id = @id AND state = @from_state;

-- name: InsertShortfall :exec
INSERT INTO stock_shortfall (id, state, item, place, condition, goods, reference, why, at)
VALUES (@id, @state, @item, @place, @condition, @goods, @reference, @why, @at);

-- name: LockShortfall :one
SELECT id, state, item, place, condition, goods, reference, why, at, settled_by, reason FROM stock_shortfall WHERE id = @id FOR UPDATE;

-- name: LockShortfallsOf :many
SELECT id, state, item, place, condition, goods, reference, why, at, settled_by, reason FROM stock_shortfall
WHERE item = @item AND place = @place AND state = 'open' ORDER BY id LIMIT @max_rows FOR UPDATE;

-- name: OpenShortfalls :many
SELECT id, state, item, place, condition, goods, reference, why, at, settled_by, reason FROM stock_shortfall
WHERE state = 'open' ORDER BY id LIMIT @max_rows;

-- name: SetShortfall :execrows
UPDATE stock_shortfall SET state = @to_state, settled_by = @settled_by, reason = @reason WHERE id = @id AND state = @from_state;
