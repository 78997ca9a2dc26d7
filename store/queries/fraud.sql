-- name: InsertStop :execrows
INSERT INTO emergency_stop (id, company_id, holder_id, state, reason, note, made_by, made_at, updated_at)
VALUES (@id, @company_id, sqlc.narg('holder_id'), @state, @reason, @note, @made_by, @made_at, @made_at)
ON CONFLICT (company_id, coalesce(holder_id, '')) WHERE state <> 'lifted' DO NOTHING;

-- name: StopOf :one
SELECT id, company_id, holder_id, state, reason, note, made_by, made_at, lift_by, lift_why, updated_at FROM emergency_stop
WHERE company_id = @company_id AND coalesce(holder_id, '') = @holder_id::text AND state <> 'lifted';

-- name: Stop :one
SELECT id, company_id, holder_id, state, reason, note, made_by, made_at, lift_by, lift_why, updated_at FROM emergency_stop WHERE id = @id;

-- name: LockStop :one
SELECT id, company_id, holder_id, state, reason, note, made_by, made_at, lift_by, lift_why, updated_at FROM emergency_stop WHERE id = @id FOR UPDATE;

-- name: Stops :many
SELECT id, company_id, holder_id, state, reason, note, made_by, made_at, lift_by, lift_why, updated_at FROM emergency_stop
WHERE (@company_id::text = '' OR company_id = @company_id) AND (@all_states::boolean OR state <> 'lifted') AND id > @after::text
ORDER BY id LIMIT @max_rows;

-- name: SetStopState :execrows
UPDATE emergency_stop SET state = @to_state, lift_by = @lift_by, lift_why = @lift_why, updated_at = @at WHERE id = @id AND state = @from_state;

-- Whether nothing of a holder's is accepted now.
-- name: Stopped :one
SELECT EXISTS (SELECT 1 FROM emergency_stop s JOIN holder h ON h.company_id = s.company_id
    WHERE h.id = @holder_id::text AND s.state <> 'lifted' AND (s.holder_id IS NULL OR s.holder_id = h.id))::boolean;

-- name: InsertStopHold :exec
INSERT INTO emergency_stop_hold (stop_id, certificate_id) VALUES (@stop_id, @certificate_id) ON CONFLICT DO NOTHING;

-- Whether a stop that is there holds a certificate.
-- name: HeldByAStop :one
SELECT EXISTS (SELECT 1 FROM emergency_stop_hold c JOIN emergency_stop s ON s.id = c.stop_id
    WHERE c.certificate_id = @certificate_id AND s.state <> 'lifted')::boolean;

-- Certificates that a stop held and that no other stop keeps held.
-- name: HeldByStop :many
SELECT c.certificate_id FROM emergency_stop_hold c
WHERE c.stop_id = @stop_id AND NOT EXISTS (SELECT 1 FROM emergency_stop_hold o JOIN emergency_stop s ON s.id = o.stop_id
    WHERE o.certificate_id = c.certificate_id AND o.stop_id <> c.stop_id AND s.state <> 'lifted')
ORDER BY c.certificate_id;

-- Certificates in use that a stop concerns, in the order in which they are locked.
-- name: CertificatesToStop :many
SELECT n.id FROM certificate n JOIN holder h ON h.id = n.holder_id
WHERE h.company_id = @company_id AND (@holder_id::text = '' OR h.id = @holder_id) AND n.state IN ('issued', 'active', 'held') ORDER BY n.id;

-- name: InsertFraudReport :exec
INSERT INTO fraud_report (id, kind, state, client_id, user_number, holder_id, operation, happened_at, told, contact, language, made_by,
    received_at, updated_at)
VALUES (@id, @kind, @state, @client_id, @user_number, sqlc.narg('holder_id'), @operation, sqlc.narg('happened_at'), @told, @contact,
    @language, @made_by, @received_at, @received_at);

-- name: FraudReport :one
SELECT id, kind, state, client_id, user_number, holder_id, operation, happened_at, told, contact, language, made_by, received_at,
    handled_by, outcome, updated_at FROM fraud_report WHERE id = @id;

-- name: LockFraudReport :one
SELECT id, kind, state, client_id, user_number, holder_id, operation, happened_at, told, contact, language, made_by, received_at,
    handled_by, outcome, updated_at FROM fraud_report WHERE id = @id FOR UPDATE;

-- name: FraudReports :many
SELECT id, kind, state, client_id, user_number, holder_id, operation, happened_at, told, contact, language, made_by, received_at,
    handled_by, outcome, updated_at FROM fraud_report
WHERE (@all_states::boolean OR state IN ('received', 'in_review')) AND id > @after::text ORDER BY id LIMIT @max_rows;

-- name: SetFraudState :execrows
UPDATE fraud_report SET state = @to_state, handled_by = @handled_by, outcome = @outcome, updated_at = @at WHERE id = @id AND state = @from_state;
