-- name: InsertAuthentication :exec
INSERT INTO authentication (id, service, client_id, user_number, holder_id, state, function, content, means, mode, linked, nonce,
    policy_version, created_at, expires_at)
VALUES (@id, @service, @client_id, @user_number, sqlc.narg('holder_id'), @state, @function, @content, @means, @mode, @linked, @nonce,
    @policy_version, @created_at, @expires_at);

-- name: Authentication :one
SELECT id, service, client_id, user_number, holder_id, state, function, content, means, mode, linked, nonce, tries, policy_version,
    created_at, expires_at, decided_at, evidence, statement
FROM authentication WHERE id = @id;

-- name: LockAuthentication :one
SELECT id, service, client_id, user_number, holder_id, state, function, content, means, mode, linked, nonce, tries, policy_version,
    created_at, expires_at, decided_at, evidence, statement
FROM authentication WHERE id = @id FOR UPDATE;

-- name: CountProof :execrows
-- A proof is counted before it is judged.
UPDATE authentication SET tries = tries + 1
WHERE id = @id AND state = 'pending' AND expires_at > @now AND tries < @most::integer;

-- name: GiveProofBack :exec
UPDATE authentication SET tries = greatest(tries - 1, 0) WHERE id = @id;

-- name: SetAuthenticationState :execrows
UPDATE authentication SET state = @to_state, decided_at = @at, evidence = @evidence WHERE id = @id AND state = @from_state;

-- name: WaitingForCodeKey :many
SELECT id FROM authentication
WHERE holder_id = @holder_id AND state = 'pending' AND NOT linked AND function <> 'sign_in' ORDER BY id FOR UPDATE;

-- name: OverdueAuthentications :many
SELECT id FROM authentication WHERE state = 'pending' AND expires_at <= @now ORDER BY expires_at LIMIT @max_rows;

-- name: KeepStatement :one
-- Of two that were signed at once the first is kept.
UPDATE authentication SET statement = CASE WHEN statement = '' THEN @statement ELSE statement END WHERE id = @id RETURNING statement;
