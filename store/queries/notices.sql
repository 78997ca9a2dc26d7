-- A notice speaks the language that its holder has in this moment.
-- name: InsertNotice :execrows
INSERT INTO notice (id, certificate_id, holder_id, kind, occasion, state, language, due_at, updated_at)
SELECT @id::text, @certificate_id::text, h.id, @kind::text, @occasion::integer, 'requested', h.language, @due_at::timestamptz, @due_at::timestamptz
FROM holder h WHERE h.id = @holder_id
ON CONFLICT (certificate_id, kind, occasion) DO NOTHING;

-- name: InsertCorrectionNotice :exec
INSERT INTO notice (id, holder_id, kind, occasion, state, language, former_address, due_at, updated_at)
VALUES (@id, @holder_id, 'corrected', @occasion, 'requested', @language, sqlc.narg('former_address'), @due_at, @due_at);

-- name: Notice :one
SELECT id, certificate_id, holder_id, kind, occasion, state, language, due_at, attempts, address, message_id, sent_at, failure, updated_at, former_address, setting_id
FROM notice WHERE id = @id;

-- name: LockNotice :one
SELECT id, certificate_id, holder_id, kind, occasion, state, language, due_at, attempts, address, message_id, sent_at, failure, updated_at, former_address, setting_id
FROM notice WHERE id = @id FOR UPDATE;

-- name: Notices :many
SELECT id, certificate_id, holder_id, kind, occasion, state, language, due_at, attempts, address, message_id, sent_at, failure, updated_at, former_address, setting_id
FROM notice
WHERE (@state::text = '' OR state::text = @state) AND (@certificate::text = '' OR certificate_id = @certificate) AND id > @after
ORDER BY id LIMIT @max_rows;

-- name: TryNotice :exec
UPDATE notice SET attempts = attempts + 1, address = @address WHERE id = @id;

-- name: SetNoticeState :execrows
UPDATE notice SET state = @to_state, failure = @failure, message_id = @message_id, sent_at = sqlc.narg('sent_at'), attempts = @attempts, updated_at = @at
WHERE id = @id AND state = @from_state;

-- name: InsertReminder :exec
INSERT INTO reminder (certificate_id, next_at) VALUES (@certificate_id, @next_at) ON CONFLICT (certificate_id) DO NOTHING;

-- Whoever makes reminders makes all of them while it does: nobody is told twice by two
-- who each see that nothing was told.
-- name: LockReminders :exec
SELECT pg_advisory_xact_lock(hashtextextended('sceau reminders', 0));

-- Those whose end is to be told now. A newer active certificate of the same holder
-- and profile makes it idle; it is looked for among the holder's own, also in a table
-- without statistics, where the index of states would be read as well. A campaign may
-- have told the holder lately.
-- name: DueReminders :many
SELECT r.certificate_id, c.holder_id, c.state, c.not_after, EXISTS (
    SELECT 1 FROM certificate n
    WHERE n.holder_id = c.holder_id AND n.profile = c.profile AND (n.state = 'active') IS TRUE AND n.not_after > c.not_after) AS renewed,
    coalesce((SELECT max(t.due_at) FROM notice t
        WHERE t.holder_id = c.holder_id AND t.kind = 'renewal' AND t.state <> 'cancelled'), 'epoch')::timestamptz AS told_at
FROM reminder r JOIN certificate c ON c.id = r.certificate_id
WHERE r.next_at <= @at ORDER BY r.next_at LIMIT @max_rows FOR UPDATE OF r SKIP LOCKED;

-- name: SetReminders :exec
UPDATE reminder r SET next_at = n.next_at
FROM (SELECT unnest(@ids::text[]) AS id, unnest(@times::timestamptz[]) AS next_at) n WHERE r.certificate_id = n.id;

-- name: DropReminders :exec
DELETE FROM reminder WHERE certificate_id = ANY(@ids::text[]);
