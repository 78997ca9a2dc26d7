-- name: InsertSettingChange :exec
INSERT INTO setting_change (id, setting, company_id, holder_id, account, version, state, old_value, new_value, loosens, effective_from,
    effective_until, asked_by, made_by, authentication_id, holder_present, note, created_at, updated_at)
VALUES (@id, @setting, @company_id, sqlc.narg('holder_id'), @account, @version, @state, @old_value, @new_value, @loosens,
    sqlc.narg('effective_from'), sqlc.narg('effective_until'), sqlc.narg('asked_by'), @made_by, sqlc.narg('authentication_id'),
    @holder_present, @note, @created_at, @created_at);

-- name: SettingChange :one
SELECT id, setting, company_id, holder_id, account, version, state, old_value, new_value, loosens, effective_from, effective_until,
    asked_by, made_by, authentication_id, holder_present, decided_by, note, created_at, updated_at
FROM setting_change WHERE id = @id;

-- What is set in one place, newest first: all that holds, will hold or waits for an
-- approver. An opening is over when something newer has begun, for ever: it does not
-- come back when that ends.
-- name: SettingChangesAt :many
SELECT s.id, s.setting, s.company_id, s.holder_id, s.account, s.version, s.state, s.old_value, s.new_value, s.loosens, s.effective_from,
    s.effective_until, s.asked_by, s.made_by, s.authentication_id, s.holder_present, s.decided_by, s.note, s.created_at, s.updated_at
FROM setting_change s
WHERE s.company_id = @company_id AND s.setting = @setting AND coalesce(s.holder_id, '') = @holder_id::text AND s.account = @account
    AND s.state IN ('proposed', 'accepted') AND (s.effective_until IS NULL OR s.effective_until > @at::timestamptz AND NOT EXISTS (
        SELECT 1 FROM setting_change n WHERE n.company_id = s.company_id AND n.setting = s.setting
            AND coalesce(n.holder_id, '') = coalesce(s.holder_id, '') AND n.account = s.account
            AND n.version > s.version AND n.state = 'accepted' AND n.effective_from <= @at))
ORDER BY s.version DESC;

-- name: LastSettingVersion :one
SELECT coalesce(max(version), 0)::integer FROM setting_change
WHERE company_id = @company_id AND setting = @setting AND coalesce(holder_id, '') = @holder_id::text AND account = @account;

-- All that concerns a user, newest first.
-- name: SettingChangesOf :many
SELECT id, setting, company_id, holder_id, account, version, state, old_value, new_value, loosens, effective_from, effective_until,
    asked_by, made_by, authentication_id, holder_present, decided_by, note, created_at, updated_at
FROM setting_change WHERE company_id = @company_id AND (holder_id IS NULL OR holder_id = @holder_id::text)
ORDER BY setting, holder_id NULLS FIRST, account, version DESC LIMIT 500;

-- name: SetSettingState :execrows
UPDATE setting_change SET state = @to_state, effective_from = sqlc.narg('effective_from'), decided_by = @decided_by, note = @note, updated_at = @at
WHERE id = @id AND state = @from_state;

-- name: InsertSettingNotice :exec
INSERT INTO notice (id, holder_id, kind, occasion, state, language, setting_id, due_at, updated_at)
SELECT @id::text, h.id, 'setting', @occasion::integer, 'requested', h.language, @setting_id::text, @due_at::timestamptz, @due_at::timestamptz
FROM holder h WHERE h.id = @holder_id;

-- Who is told of a loosening besides the one who asks: the company's principal users.
-- name: PrincipalsOf :many
SELECT e.holder_id FROM entitlement e JOIN holder h ON h.id = e.holder_id
WHERE h.company_id = @company_id AND e.state = 'live' AND e.grants @> '[{"function": "manage_entitlements"}]' ORDER BY e.holder_id;
