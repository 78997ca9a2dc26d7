-- name: InsertPrintRun :exec
INSERT INTO print_run (id, kind, language, state, created_at) VALUES (@id, @kind, @language, @state, @created_at);

-- name: LockPrintRun :one
SELECT id, kind, language, state, fence, operator, printer, counter, used, waste, created_at, rendered_at, printed_at, template
FROM print_run WHERE id = @id FOR UPDATE;

-- name: PrintRunsInState :many
SELECT id, kind, language, state, fence, operator, printer, counter, used, waste, created_at, rendered_at, printed_at, template
FROM print_run WHERE state = @state ORDER BY id;

-- name: FencePrintRun :one
UPDATE print_run SET fence = fence + 1 WHERE id = @id RETURNING fence;

-- name: SetPrintRunState :execrows
UPDATE print_run SET state = @to_state WHERE id = @id AND state = @from_state;

-- name: SetPrintRunRendered :exec
UPDATE print_run SET rendered_at = @rendered_at WHERE id = @id;

-- name: BeginSitting :exec
UPDATE print_run SET operator = @operator, printer = @printer, counter = @counter WHERE id = @id;

-- name: EndSitting :exec
UPDATE print_run SET used = used + @used, waste = waste + @waste WHERE id = @id;

-- name: SetPrintRunPrinted :exec
UPDATE print_run SET printed_at = @printed_at WHERE id = @id;

-- name: GatherCardLetters :many
SELECT l.id FROM card_letter l JOIN card c ON c.id = l.card_id JOIN holder h ON h.id = c.holder_id
WHERE l.state = 'requested' AND h.language = @language
    AND NOT EXISTS (SELECT FROM print_sheet s WHERE s.letter_id = l.id AND s.result = '')
ORDER BY l.id LIMIT @max_rows FOR UPDATE OF l SKIP LOCKED;

-- name: GatherPINLetters :many
SELECT l.id FROM pin_letter l JOIN card c ON c.id = l.card_id JOIN holder h ON h.id = c.holder_id
WHERE l.state = 'requested' AND h.language = @language
    AND NOT EXISTS (SELECT FROM print_sheet s WHERE s.letter_id = l.id)
ORDER BY l.id LIMIT @max_rows FOR UPDATE OF l SKIP LOCKED;

-- name: InsertPrintSheets :exec
INSERT INTO print_sheet (run_id, kind, position, section, letter_id)
SELECT @run_id, @kind, unnest(@positions::integer[]), unnest(@sections::integer[]), unnest(@letters::text[]);

-- name: CardRunLetters :many
SELECT l.id, l.created_at, c.last4, c.expiry, c.product, c.delivery, h.given_name, h.surname, h.language,
    h.complement, h.street, h.postcode, h.city, h.country, h.user_number, h.large_print, o.client_id, o.name AS company,
    coalesce(b.name, '')::text AS branch_name, coalesce(b.street, '')::text AS branch_street,
    coalesce(b.postcode, '')::text AS branch_postcode, coalesce(b.city, '')::text AS branch_city
FROM print_sheet s JOIN card_letter l ON l.id = s.letter_id JOIN card c ON c.id = l.card_id
    JOIN holder h ON h.id = c.holder_id JOIN company o ON o.id = h.company_id LEFT JOIN branch b ON b.id = c.branch_id
WHERE s.run_id = @run_id AND l.state = 'requested' ORDER BY s.position;

-- name: PINRunLetters :many
SELECT s.section, s.page, l.id, l.card_id, l.pin_version, l.state, l.post_after, h.given_name, h.surname, h.language, h.complement,
    h.street, h.postcode, h.city, h.country, h.large_print, o.name AS company
FROM print_sheet s JOIN pin_letter l ON l.id = s.letter_id JOIN card c ON c.id = l.card_id
    JOIN holder h ON h.id = c.holder_id JOIN company o ON o.id = h.company_id
WHERE s.run_id = @run_id AND (l.state = 'requested' OR s.page > 0) ORDER BY s.position;

-- name: SetSheetPages :exec
UPDATE print_sheet s SET page = p.page, sheets = p.sheets
FROM (SELECT unnest(@letters::text[]) AS letter_id, unnest(@pages::integer[]) AS page, unnest(@sheets::integer[]) AS sheets) AS p
WHERE s.run_id = @run_id AND s.letter_id = p.letter_id;

-- name: DropUnsetSheets :exec
DELETE FROM print_sheet WHERE run_id = @run_id AND page = 0;

-- name: CountSheets :one
SELECT count(*) FROM print_sheet WHERE run_id = @run_id;

-- name: PrintSheets :many
SELECT s.position, s.section, s.page, s.sheets, s.letter_id, s.result,
    coalesce(c.state, p.state, 'requested')::letter_state AS letter_state
FROM print_sheet s LEFT JOIN card_letter c ON c.id = s.letter_id LEFT JOIN pin_letter p ON p.id = s.letter_id
WHERE s.run_id = @run_id ORDER BY s.position;

-- name: SetSheetResult :exec
UPDATE print_sheet SET result = @result WHERE run_id = @run_id AND position = @position;

-- name: SetSheetsPrinted :exec
UPDATE print_sheet SET result = 'printed' WHERE run_id = @run_id AND position = ANY (@positions::int[]);

-- name: SpoilSheetOfLetter :exec
UPDATE print_sheet SET result = 'spoiled' WHERE letter_id = @letter_id AND result = 'printed';

-- name: DeleteRunDocuments :execrows
DELETE FROM document d USING print_sheet s
WHERE s.run_id = @run_id AND d.id = s.run_id || '-' || s.section::text;

-- name: OldRuns :many
SELECT id FROM print_run WHERE state IN ('rendered', 'printing', 'interrupted') AND rendered_at < @before ORDER BY id LIMIT @max_rows;

-- name: DeleteOldRunDocuments :execrows
DELETE FROM document d USING print_run r, print_sheet s
WHERE s.run_id = r.id AND d.id = s.run_id || '-' || s.section::text AND r.state = 'printed' AND d.created_at < @before;
