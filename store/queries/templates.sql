-- name: InsertTemplate :one
INSERT INTO letter_template (kind, version, state, content, sha256, proposed_by, proposed_at)
SELECT @kind, coalesce(max(version), 0) + 1, @state, @content, @sha256, @proposed_by, @proposed_at
FROM letter_template WHERE kind = @kind
RETURNING version;

-- name: Template :one
SELECT kind, version, state, content, sha256, proposed_by, proposed_at, decided_by, decided_at, reason
FROM letter_template WHERE kind = @kind AND version = @version;

-- name: LockTemplate :one
SELECT kind, version, state, content, sha256, proposed_by, proposed_at, decided_by, decided_at, reason
FROM letter_template WHERE kind = @kind AND version = @version FOR UPDATE;

-- name: LockLiveTemplate :one
SELECT kind, version, state, content, sha256, proposed_by, proposed_at, decided_by, decided_at, reason
FROM letter_template WHERE kind = @kind AND state = 'live' FOR UPDATE;

-- name: LiveTemplate :one
SELECT coalesce(max(version), 0)::integer FROM letter_template WHERE kind = @kind AND state = 'live';

-- name: Templates :many
SELECT kind, version, state, sha256, proposed_by, proposed_at, decided_by, decided_at, reason
FROM letter_template ORDER BY kind, version DESC LIMIT @max_rows;

-- name: SetTemplateState :execrows
UPDATE letter_template SET state = @to_state WHERE kind = @kind AND version = @version AND state = @from_state;

-- name: DecideTemplate :execrows
UPDATE letter_template SET state = @to_state, decided_by = @decided_by, decided_at = @decided_at, reason = @reason
WHERE kind = @kind AND version = @version AND state = @from_state;

-- name: SetRunTemplate :exec
UPDATE print_run SET template = @template::integer WHERE id = @id AND template IS NULL;

-- name: SetLargePrint :exec
UPDATE holder SET large_print = @large_print, updated_at = @updated_at WHERE id = @id;
