-- name: InsertRepresentative :exec
INSERT INTO representative (id, company_id, name, office, recorded_by, recorded_at)
VALUES (@id, @company_id, @name, @office, @recorded_by, @recorded_at);

-- name: Representative :one
SELECT id, company_id, name, office, recorded_by, recorded_at, ended_at FROM representative WHERE id = @id;

-- name: Representatives :many
SELECT id, company_id, name, office, recorded_by, recorded_at, ended_at FROM representative WHERE company_id = @company_id ORDER BY id;

-- name: EndRepresentative :execrows
UPDATE representative SET ended_at = @ended_at::timestamptz WHERE id = @id AND ended_at IS NULL;

-- name: InsertRevocationRequest :exec
INSERT INTO revocation_request (id, certificate_id, state, act, reason, invalidity_date, caller, representative_id, recognised_by, evidence,
    taken_by, role, note, requested_at, recorded_at, due_at, why)
VALUES (@id, @certificate_id, @state, @act, @reason, sqlc.narg('invalidity_date'), @caller, sqlc.narg('representative_id'), @recognised_by,
    sqlc.narg('evidence'), @taken_by, @role, @note, @requested_at, @recorded_at, @due_at, @why);

-- name: InsertCallerAnswer :exec
INSERT INTO caller_answer (request_id, question, is_right) VALUES (@request_id, @question, @is_right);

-- name: CallerAnswers :many
SELECT question, is_right FROM caller_answer WHERE request_id = @request_id ORDER BY question;

-- name: RevocationRequest :one
SELECT id, certificate_id, state, act, reason, invalidity_date, caller, representative_id, recognised_by, evidence, taken_by, role, note,
    requested_at, recorded_at, due_at, ended_at, why
FROM revocation_request WHERE id = @id;

-- name: LockRevocationRequest :one
SELECT id, certificate_id, state, act, reason, invalidity_date, caller, representative_id, recognised_by, evidence, taken_by, role, note,
    requested_at, recorded_at, due_at, ended_at, why
FROM revocation_request WHERE id = @id FOR UPDATE;

-- name: RevocationRequests :many
SELECT id, certificate_id, state, act, reason, invalidity_date, caller, representative_id, recognised_by, evidence, taken_by, role, note,
    requested_at, recorded_at, due_at, ended_at, why
FROM revocation_request
WHERE (@certificate::text = '' OR certificate_id = @certificate) AND (@state::text = '' OR state::text = @state) AND id > @after
ORDER BY id LIMIT @max_rows;

-- Requests on a certificate that wait, locked, oldest first.
-- name: LockOpenRequests :many
SELECT id, state FROM revocation_request WHERE certificate_id = @certificate_id AND state IN ('unconfirmed', 'scheduled') ORDER BY id FOR UPDATE;

-- name: RequestsDue :many
SELECT id, certificate_id FROM revocation_request
WHERE state IN ('unconfirmed', 'scheduled') AND due_at <= @at ORDER BY due_at, id LIMIT @max_rows;

-- name: SetRequestState :execrows
UPDATE revocation_request SET state = @to_state, ended_at = sqlc.narg('ended_at'), why = @why WHERE id = @id AND state = @from_state;

-- name: InsertStatusChange :exec
INSERT INTO status_change (certificate_id, version, event, serial, issuer_id, shard, revision, requested_at, recorded_at)
VALUES (@certificate_id, @version, @event, @serial, @issuer_id, @shard, @revision, @requested_at, @recorded_at);

-- name: StatusAnswered :exec
UPDATE status_change s SET ocsp_at = @at::timestamptz
FROM (SELECT unnest(@serials::bytea[]) AS serial, unnest(@versions::int[]) AS version) a
WHERE s.serial = a.serial AND s.version <= a.version AND s.ocsp_at IS NULL;

-- name: StatusListed :exec
UPDATE status_change SET crl_at = @at::timestamptz, crl_number = @number::bigint
WHERE issuer_id = @issuer_id AND shard = @shard AND revision <= @revision AND crl_at IS NULL;

-- name: StatusChangesOf :many
SELECT certificate_id, version, event, serial, issuer_id, shard, revision, requested_at, recorded_at, ocsp_at, crl_at, crl_number
FROM status_change WHERE certificate_id = @certificate_id ORDER BY version;

-- name: StatusChangesSince :many
SELECT certificate_id, version, event, serial, issuer_id, shard, revision, requested_at, recorded_at, ocsp_at, crl_at, crl_number
FROM status_change WHERE recorded_at > @since
ORDER BY greatest(coalesce(ocsp_at, @now::timestamptz), coalesce(crl_at, @now::timestamptz)) - requested_at DESC LIMIT @max_rows;

-- name: StatusChangesLate :many
SELECT certificate_id, version, event, serial, issuer_id, shard, revision, requested_at, recorded_at, ocsp_at, crl_at, crl_number
FROM status_change WHERE (ocsp_at IS NULL OR crl_at IS NULL) AND recorded_at < @before ORDER BY recorded_at LIMIT @max_rows;

-- name: SetRevocationCode :exec
INSERT INTO revocation_code (certificate_id, code_sha256, made_by, made_at) VALUES (@certificate_id, @code_sha256, @made_by, @made_at)
ON CONFLICT (certificate_id) DO UPDATE SET code_sha256 = excluded.code_sha256, made_by = excluded.made_by, made_at = excluded.made_at,
    session_sha256 = NULL, session_expires = NULL;

-- name: HasRevocationCode :one
SELECT EXISTS (SELECT FROM revocation_code WHERE certificate_id = @certificate_id);

-- A window that is over begins again.
-- name: CountRevocationTry :exec
INSERT INTO revocation_try AS t (reference_sha256, tries, since) VALUES (@reference_sha256, 1, @now)
ON CONFLICT (reference_sha256) DO UPDATE SET
    tries = CASE WHEN t.since <= @over::timestamptz THEN 1 ELSE t.tries + 1 END,
    since = CASE WHEN t.since <= @over::timestamptz THEN excluded.since ELSE t.since END;

-- name: RevocationTries :one
SELECT coalesce(sum(tries), 0)::bigint FROM revocation_try WHERE reference_sha256 = ANY(@references_sha256::bytea[]) AND since > @over::timestamptz;

-- name: ForgetRevocationTries :exec
DELETE FROM revocation_try WHERE since <= @over;

-- name: CodeOfCertificate :many
SELECT r.certificate_id, r.code_sha256 FROM revocation_code r WHERE r.certificate_id = @id;

-- name: CodeOfSerial :many
SELECT r.certificate_id, r.code_sha256 FROM revocation_code r JOIN certificate c ON c.id = r.certificate_id WHERE c.serial = @serial::bytea;

-- name: CodesOfClient :many
SELECT r.certificate_id, r.code_sha256
FROM company o JOIN holder h ON h.company_id = o.id JOIN certificate c ON c.holder_id = h.id JOIN revocation_code r ON r.certificate_id = c.id
WHERE o.client_id = @client_id AND (@user_number::text = '' OR h.user_number = @user_number)
ORDER BY r.made_at DESC LIMIT @max_rows;

-- name: OpenRevocationSession :execrows
UPDATE revocation_code SET session_sha256 = @session_sha256::bytea, session_expires = @session_expires::timestamptz
WHERE certificate_id = @certificate_id AND code_sha256 = @code_sha256::bytea;

-- name: RevocationBySession :one
SELECT certificate_id FROM revocation_code WHERE session_sha256 = @session_sha256::bytea AND session_expires > @now::timestamptz;

-- name: CloseRevocationSession :exec
UPDATE revocation_code SET session_sha256 = NULL, session_expires = NULL WHERE session_sha256 = @session_sha256::bytea;
