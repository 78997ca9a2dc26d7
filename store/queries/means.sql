-- name: InsertMeans :exec
INSERT INTO means (id, holder_id, kind, state, label, requested_by, created_at, updated_at)
VALUES (@id, @holder_id, @kind, @state, @label, @requested_by, @created_at, @created_at);

-- name: LockMeans :one
SELECT id, holder_id, kind, state, label, requested_by, suspended_by, last_used_at, created_at, updated_at FROM means WHERE id = @id FOR UPDATE;

-- name: SetMeansState :execrows
UPDATE means SET state = @to_state, suspended_by = @suspended_by, updated_at = @at WHERE id = @id AND state = @from_state;

-- name: LockMeansOfKind :many
SELECT id, holder_id, kind, state, label, requested_by, suspended_by, last_used_at, created_at, updated_at FROM means
WHERE holder_id = @holder_id AND kind = @kind AND state IN ('active', 'suspended') ORDER BY id FOR UPDATE;

-- name: MeansUsed :exec
UPDATE means SET last_used_at = @at::timestamptz WHERE id = @id;

-- All means of a holder, whatever each is made of; epoch: never used.
-- name: MeansOfHolder :many
SELECT c.id::text AS id, 'cap'::text AS kind, c.state::text AS state, (c.product || ' •••• ' || c.last4)::text AS label, c.created_at,
    coalesce((SELECT max(a.at) FROM audit_entry a WHERE a.thing_id = c.id AND a.event = 'accept_code'), 'epoch')::timestamptz AS last_used_at
FROM card c WHERE c.holder_id = @holder_id
UNION ALL
SELECT n.id, 'certificate', n.state::text, n.profile, n.created_at,
    coalesce((SELECT max(a.decided_at) FROM authentication a
        WHERE a.holder_id = n.holder_id AND a.state = 'accepted' AND a.means = 'certificate' AND a.evidence ->> 'certificate' = n.id), 'epoch')
FROM certificate n WHERE n.holder_id = @holder_id
UNION ALL
SELECT m.id, m.kind, m.state::text, m.label, m.created_at, coalesce(m.last_used_at, 'epoch') FROM means m WHERE m.holder_id = @holder_id
ORDER BY 5, 1;

-- name: SetMeansInvitation :exec
INSERT INTO means_invitation (holder_id, kind, code_sha256, handover, handed_by, handed_at, expires_at)
VALUES (@holder_id, @kind, @code_sha256, @handover, @handed_by, @handed_at, @expires_at)
ON CONFLICT (holder_id, kind) DO UPDATE SET code_sha256 = excluded.code_sha256, handover = excluded.handover, handed_by = excluded.handed_by,
    handed_at = excluded.handed_at, expires_at = excluded.expires_at, used_at = NULL;

-- name: MeansInvited :one
SELECT EXISTS (SELECT 1 FROM means_invitation
    WHERE holder_id = @holder_id AND kind = @kind AND code_sha256 = @code_sha256 AND used_at IS NULL AND expires_at > @now)::boolean;

-- name: UseMeansInvitation :execrows
UPDATE means_invitation SET used_at = @at::timestamptz
WHERE holder_id = @holder_id AND kind = @kind AND code_sha256 = @code_sha256 AND used_at IS NULL AND expires_at > @at;

-- name: AuthenticationUsed :one
SELECT EXISTS (SELECT 1 FROM authentication_use WHERE authentication_id = @authentication_id)::boolean;

-- name: InsertMeansRegistration :exec
INSERT INTO means_registration (id, holder_id, kind, label, service, challenge, signed_by, code_sha256, created_at, expires_at)
VALUES (@id, @holder_id, @kind, @label, @service, @challenge, sqlc.narg('signed_by'), @code_sha256, @created_at, @expires_at);

-- name: MeansRegistration :one
SELECT id, holder_id, kind, label, service, challenge, signed_by, code_sha256, created_at, expires_at, done_at
FROM means_registration WHERE id = @id;

-- name: EndMeansRegistration :execrows
UPDATE means_registration SET done_at = @at::timestamptz WHERE id = @id AND done_at IS NULL AND expires_at > @at;

-- name: InsertSecretCode :exec
INSERT INTO secret_code (means_id, hash) VALUES (@means_id, @hash);

-- The hash of an active code, with its means.
-- name: SecretCodeOf :one
SELECT m.id, c.hash FROM means m JOIN secret_code c ON c.means_id = m.id WHERE m.holder_id = @holder_id AND m.kind = 'code' AND m.state = 'active';

-- A guess is counted before it is judged; no row: it is blocked.
-- name: CountSecretCodeTry :one
INSERT INTO secret_code_try AS t (client_id, user_number, failures, tried_at) VALUES (@client_id, @user_number, 1, @now)
ON CONFLICT (client_id, user_number) DO UPDATE SET failures = t.failures + 1, tried_at = excluded.tried_at WHERE t.failures < @most::integer
RETURNING failures;

-- name: GiveSecretCodeTryBack :exec
UPDATE secret_code_try SET failures = greatest(failures - 1, 0) WHERE client_id = @client_id AND user_number = @user_number;

-- name: ForgetSecretCodeTries :exec
DELETE FROM secret_code_try WHERE client_id = @client_id AND user_number = @user_number;

-- name: LastStrongSignIn :one
-- epoch: never.
SELECT coalesce(max(decided_at), 'epoch')::timestamptz FROM authentication
WHERE holder_id = @holder_id AND state = 'accepted' AND function = 'sign_in' AND means <> 'code';

-- Certificates that may prove: their content, and what their profile says.
-- name: ProvingCertificates :many
SELECT n.id, n.der, n.profile, coalesce(n.profile_version, 0)::integer AS profile_version
FROM certificate n JOIN issuer i ON i.id = n.issuer_id
WHERE n.holder_id = @holder_id AND n.state = 'active' AND n.not_before <= @now AND n.not_after > @now AND n.der IS NOT NULL AND i.state IN ('signing', 'retired')
ORDER BY n.id DESC LIMIT @max_rows;

-- name: InsertPasskey :exec
INSERT INTO passkey (means_id, credential_id, public_key, sign_count, aaguid, backed_up, transports)
VALUES (@means_id, @credential_id, @public_key, @sign_count, @aaguid, @backed_up, @transports);

-- name: PasskeysOf :many
SELECT p.means_id, p.credential_id, p.transports FROM passkey p JOIN means m ON m.id = p.means_id
WHERE m.holder_id = @holder_id AND m.state IN ('active', 'suspended') AND (m.state = 'active' OR @suspended::boolean) ORDER BY p.means_id;

-- name: Passkey :one
SELECT p.means_id, p.public_key, p.sign_count, p.backed_up, m.holder_id, m.state FROM passkey p JOIN means m ON m.id = p.means_id
WHERE p.credential_id = @credential_id;

-- Of two assertions at once with one count, the second finds it taken. Authenticators
-- that count nothing say zero each time.
-- name: RaiseSignCount :execrows
UPDATE passkey SET sign_count = @sign_count::bigint WHERE means_id = @means_id AND (sign_count < @sign_count OR (sign_count = 0 AND @sign_count = 0));
