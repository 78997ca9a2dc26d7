-- name: InsertChip :exec
INSERT INTO chip (attempt_id, order_id, card_id, psn, pin_version, terminal, begun_at)
VALUES (@attempt_id, @order_id, @card_id, @psn, @pin_version, @terminal, @begun_at);

-- name: LockChip :one
SELECT attempt_id, order_id, card_id, psn, pin_version, serial, result, reason, terminal, begun_at, ended_at
FROM chip WHERE card_id = @card_id AND pin_version = @pin_version FOR UPDATE;

-- name: ChipsOfOrder :many
SELECT attempt_id, order_id, card_id, psn, pin_version, serial, result, reason, terminal, begun_at, ended_at
FROM chip WHERE order_id = @order_id ORDER BY pin_version;

-- name: GiveChip :exec
UPDATE chip SET serial = @serial, terminal = @terminal WHERE attempt_id = @attempt_id;

-- name: EndChip :exec
UPDATE chip SET result = @result, reason = @reason, terminal = @terminal, ended_at = @ended_at WHERE attempt_id = @attempt_id;

-- name: ChipOfSerial :one
SELECT attempt_id FROM chip WHERE serial = @serial::text;
