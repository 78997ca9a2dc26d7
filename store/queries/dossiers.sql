-- name: InsertDossier :exec
INSERT INTO dossier (id, holder_id, state, opened_by, opened_at, updated_at)
VALUES (@id, @holder_id, @state, @opened_by, @opened_at, @opened_at);

-- name: Dossier :one
SELECT id, holder_id, state, revision, opened_by, opened_at, updated_at, completed_at, content_sha256, retention_years, held_why, erased_at,
    document_type, document_country, document_number, document_mark, document_last, document_expires, document_given_name, document_surname,
    seen_how, seen_where, seen_on, seen_by, signed_with, signed_level, mandate_signed_by, mandate_signed_on, mandate_accepted_on,
    mandate_agent, extract_number, extract_on, terms_version, terms_on
FROM dossier WHERE id = @id;

-- name: LockDossier :one
SELECT id, holder_id, state, revision, opened_by, opened_at, updated_at, completed_at, content_sha256, retention_years, held_why, erased_at,
    document_type, document_country, document_number, document_mark, document_last, document_expires, document_given_name, document_surname,
    seen_how, seen_where, seen_on, seen_by, signed_with, signed_level, mandate_signed_by, mandate_signed_on, mandate_accepted_on,
    mandate_agent, extract_number, extract_on, terms_version, terms_on
FROM dossier WHERE id = @id FOR UPDATE;

-- name: LiveDossier :one
SELECT id, holder_id, state, revision, opened_by, opened_at, updated_at, completed_at, content_sha256, retention_years, held_why, erased_at,
    document_type, document_country, document_number, document_mark, document_last, document_expires, document_given_name, document_surname,
    seen_how, seen_where, seen_on, seen_by, signed_with, signed_level, mandate_signed_by, mandate_signed_on, mandate_accepted_on,
    mandate_agent, extract_number, extract_on, terms_version, terms_on
FROM dossier WHERE holder_id = @holder_id AND state IN ('open', 'complete');

-- name: LockLiveDossier :one
SELECT id FROM dossier WHERE holder_id = @holder_id AND state IN ('open', 'complete') FOR UPDATE;

-- name: Dossiers :many
SELECT d.id, d.holder_id, d.state, d.opened_at, d.held_why, c.client_id, h.user_number
FROM dossier d JOIN holder h ON h.id = d.holder_id JOIN company c ON c.id = h.company_id
WHERE (@state::text = '' OR d.state::text = @state) AND d.id > @after ORDER BY d.id LIMIT @max_rows;

-- name: SetDossierState :execrows
UPDATE dossier SET state = @to_state::dossier_state, updated_at = @at::timestamptz,
    revision = revision + CASE WHEN @to_state::dossier_state = @from_state::dossier_state THEN 1 ELSE 0 END
WHERE id = @id AND state = @from_state::dossier_state;

-- name: SetDossierIdentity :exec
UPDATE dossier SET document_type = @document_type::text, document_country = @document_country, document_number = @document_number,
    document_mark = @document_mark, document_last = @document_last, document_expires = @document_expires,
    document_given_name = @document_given_name, document_surname = @document_surname, seen_how = @seen_how, seen_where = @seen_where,
    seen_on = @seen_on, seen_by = @seen_by, signed_with = @signed_with, signed_level = @signed_level
WHERE id = @id;

-- name: SetDossierMandate :exec
UPDATE dossier SET mandate_signed_by = @mandate_signed_by, mandate_signed_on = @mandate_signed_on,
    mandate_accepted_on = @mandate_accepted_on, mandate_agent = @mandate_agent
WHERE id = @id;

-- name: SetDossierExtract :exec
UPDATE dossier SET extract_number = @extract_number, extract_on = @extract_on WHERE id = @id;

-- name: SetDossierTerms :exec
UPDATE dossier SET terms_version = @terms_version, terms_on = @terms_on WHERE id = @id;

-- name: SetDossierRelied :exec
UPDATE dossier SET retention_years = greatest(retention_years, @retention_years::integer),
    completed_at = coalesce(completed_at, @at), content_sha256 = coalesce(content_sha256, @content_sha256)
WHERE id = @id;

-- name: SetDossierHeld :exec
UPDATE dossier SET held_why = @held_why WHERE id = @id;

-- name: EraseDossier :execrows
UPDATE dossier SET state = @to_state, erased_at = @at::timestamptz, updated_at = @at::timestamptz, document_number = NULL, document_mark = NULL, document_last = '', document_given_name = '', document_surname = '',
    mandate_signed_by = ''
WHERE id = @id AND state = @from_state;

-- name: EraseScans :execrows
UPDATE dossier_scan SET content = NULL WHERE dossier_id = @dossier_id AND content IS NOT NULL;

-- name: InsertScan :exec
INSERT INTO dossier_scan (id, dossier_id, kind, media_type, size, sha256, pages, width, height, content, added_by, added_at)
VALUES (@id, @dossier_id, @kind, @media_type, @size, @sha256, @pages, @width, @height, @content, @added_by, @added_at);

-- name: Scans :many
SELECT id, kind, media_type, size, sha256, pages, width, height, (content IS NULL)::boolean AS erased, added_by, added_at
FROM dossier_scan WHERE dossier_id = @dossier_id ORDER BY id;

-- name: Scan :one
SELECT id, dossier_id, kind, media_type, content FROM dossier_scan WHERE id = @id;

-- Other holders whose dossiers have the same document.
-- name: SameDocument :many
SELECT DISTINCT h.id, h.given_name, h.surname FROM dossier d JOIN holder h ON h.id = d.holder_id
WHERE d.document_mark = @document_mark AND d.holder_id <> @holder_id ORDER BY h.id LIMIT 20;

-- How often certificates of a profile rely on a dossier already, and when a signed one
-- of the holder's was revoked last. One that was withdrawn before it was drafted
-- counts for nothing.
-- name: Reliance :one
SELECT count(*) FILTER (WHERE n.dossier_id = @dossier_id::text AND n.state <> 'cancelled' AND (n.state <> 'revoked' OR n.tbs IS NOT NULL)) AS uses,
    coalesce(max(n.revoked_at) FILTER (WHERE n.state = 'revoked' AND n.tbs IS NOT NULL), 'epoch')::timestamptz AS revoked_at
FROM certificate n WHERE n.holder_id = @holder_id AND n.profile = @profile AND n.service = '';

-- name: SetCertificateDossier :exec
UPDATE certificate SET dossier_id = @dossier_id::text WHERE id = @id;

-- Dossiers whose document has ended.
-- name: DossiersToArchive :many
SELECT id FROM dossier WHERE state = 'complete' AND document_expires < @today ORDER BY id LIMIT @max_rows;

-- When a dossier is to be erased: some years after the last end of a certificate that
-- relied on it; where none came of it, some days after it was touched last. One whose
-- certificate is still to be made has no day yet.
-- name: DossiersDue :many
SELECT d.id, d.holder_id, d.state, d.held_why, due.at::timestamptz AS due_at
FROM dossier d CROSS JOIN LATERAL (
    SELECT CASE WHEN count(n.id) = 0 THEN d.updated_at + make_interval(days => @unused_days)
        WHEN bool_and(n.not_after IS NOT NULL) THEN max(n.not_after) + make_interval(years => d.retention_years) END AS at
    FROM certificate n
    WHERE n.dossier_id = d.id AND n.state <> 'cancelled' AND (n.state <> 'revoked' OR n.tbs IS NOT NULL)
) due
WHERE d.state <> 'erased' AND (@id::text = '' OR d.id = @id) AND (@held::boolean OR d.held_why = '') AND due.at <= @by_day::timestamptz
ORDER BY due.at, d.id LIMIT @max_rows;

-- name: InsertAgent :execrows
INSERT INTO certification_agent AS a (holder_id, mandate_on, enrolled_by, enrolled_at)
VALUES (@holder_id, @mandate_on, @enrolled_by, @enrolled_at)
ON CONFLICT (holder_id) DO UPDATE SET mandate_on = excluded.mandate_on, enrolled_by = excluded.enrolled_by,
    enrolled_at = excluded.enrolled_at, ended_at = NULL
WHERE a.ended_at IS NOT NULL;

-- name: EndAgent :execrows
UPDATE certification_agent SET ended_at = @at WHERE holder_id = @holder_id AND ended_at IS NULL;

-- name: IsAgent :one
SELECT EXISTS (SELECT 1 FROM certification_agent WHERE holder_id = @holder_id AND ended_at IS NULL);
