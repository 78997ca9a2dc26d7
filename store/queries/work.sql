-- name: InsertWorkItem :exec
INSERT INTO work_item (id, state, thing, thing_id, card_id, why, opened_at)
VALUES (@id, @state, @thing, @thing_id, @card_id, @why, @opened_at);

-- name: LockWorkItem :one
SELECT id, state, thing, thing_id, card_id, why, opened_at, done_at, outcome FROM work_item WHERE id = @id FOR UPDATE;

-- name: OpenWorkItems :many
SELECT id, state, thing, thing_id, card_id, why, opened_at, done_at, outcome FROM work_item
WHERE state = 'open' AND id > @after ORDER BY id LIMIT @max_rows;

-- name: LockWorkOn :many
SELECT id, state, thing, thing_id, card_id, why, opened_at, done_at, outcome FROM work_item
WHERE thing_id = @thing_id AND state = 'open' ORDER BY id FOR UPDATE;

-- name: SetWorkState :execrows
UPDATE work_item SET state = @to_state WHERE id = @id AND state = @from_state;

-- name: SetWorkDone :exec
UPDATE work_item SET done_at = @done_at, outcome = @outcome WHERE id = @id;
