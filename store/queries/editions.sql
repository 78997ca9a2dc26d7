-- name: InsertEdition :one
INSERT INTO edition (thing, name, version, state, content, sha256, proposed_by, proposed_at)
SELECT @thing, @name, coalesce(max(version), 0) + 1, @state, @content, @sha256, @proposed_by, @proposed_at
FROM edition WHERE thing = @thing AND name = @name
RETURNING version;

-- name: Edition :one
SELECT name, version, state, content, sha256, proposed_by, proposed_at, decided_by, decided_at, reason, thing
FROM edition WHERE thing = @thing AND name = @name AND version = @version;

-- name: LockEdition :one
SELECT name, version, state, content, sha256, proposed_by, proposed_at, decided_by, decided_at, reason, thing
FROM edition WHERE thing = @thing AND name = @name AND version = @version FOR UPDATE;

-- name: LockLiveEdition :one
SELECT name, version, state, content, sha256, proposed_by, proposed_at, decided_by, decided_at, reason, thing
FROM edition WHERE thing = @thing AND name = @name AND state = 'live' FOR UPDATE;

-- name: LiveEdition :one
SELECT coalesce(max(version), 0)::integer FROM edition WHERE thing = @thing AND name = @name AND state = 'live';

-- name: Editions :many
SELECT name, version, state, sha256, proposed_by, proposed_at, decided_by, decided_at, reason
FROM edition WHERE thing = @thing ORDER BY name, version DESC LIMIT @max_rows;

-- name: LiveEditionNames :many
SELECT name FROM edition WHERE thing = @thing AND state = 'live' ORDER BY name;

-- name: SetEditionState :execrows
UPDATE edition SET state = @to_state WHERE thing = @thing AND name = @name AND version = @version AND state = @from_state;

-- name: DecideEdition :execrows
UPDATE edition SET state = @to_state, decided_by = @decided_by, decided_at = @decided_at, reason = @reason
WHERE thing = @thing AND name = @name AND version = @version AND state = @from_state;

-- name: SetRunTemplate :exec
UPDATE print_run SET template = @template::integer WHERE id = @id AND template IS NULL;

-- name: SetLargePrint :exec
UPDATE holder SET large_print = @large_print, updated_at = @updated_at WHERE id = @id;
