-- name: EventsAfter :many
SELECT tx, id, type, subject, at FROM event
WHERE service = @service AND (tx, id) > (@tx::bigint, @id::bigint) AND tx < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
ORDER BY tx, id LIMIT @max_rows;

-- name: ForgetEvents :exec
DELETE FROM event WHERE at <= @before;
