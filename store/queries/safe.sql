-- name: DataKeys :many
SELECT number, wrapped, created_at, retired_at FROM data_key ORDER BY number;

-- name: InsertDataKey :execrows
INSERT INTO data_key (number, wrapped, created_at)
SELECT @number::integer, @wrapped::text, @created_at::timestamptz
WHERE @number::integer = (SELECT coalesce(max(d.number), 0) + 1 FROM data_key d)
ON CONFLICT (number) DO NOTHING;

-- name: RetireDataKey :execrows
UPDATE data_key SET retired_at = @at, wrapped = CASE number WHEN 1 THEN wrapped ELSE '' END
WHERE data_key.number = @number AND retired_at IS NULL AND data_key.number < (SELECT max(d.number) FROM data_key d);

-- The first two octets of what is sealed are the number of its data key.
-- name: CountSealedUnder :one
SELECT ((SELECT count(*) FROM card WHERE substring(pan_sealed FROM 1 FOR 2) = @under::bytea)
    + (SELECT count(*) FROM batch_card WHERE substring(dgis FROM 1 FOR 2) = @under::bytea)
    + (SELECT count(*) FROM dossier WHERE substring(document_number FROM 1 FOR 2) = @under::bytea)
    + (SELECT count(*) FROM dossier_scan WHERE substring(content FROM 1 FOR 2) = @under::bytea))::bigint;

-- name: CountSealedElse :one
SELECT ((SELECT count(*) FROM card WHERE substring(pan_sealed FROM 1 FOR 2) <> @newest::bytea)
    + (SELECT count(*) FROM batch_card WHERE substring(dgis FROM 1 FOR 2) <> @newest::bytea)
    + (SELECT count(*) FROM dossier WHERE substring(document_number FROM 1 FOR 2) <> @newest::bytea)
    + (SELECT count(*) FROM dossier_scan WHERE substring(content FROM 1 FOR 2) <> @newest::bytea))::bigint;

-- Cards whose number is sealed under another key; those that somebody works at are
-- left for the next time round.
-- name: LockNumbersSealedElse :many
SELECT id, pan_sealed FROM card WHERE substring(pan_sealed FROM 1 FOR 2) <> @newest::bytea AND id > @after
ORDER BY id LIMIT @max_rows FOR NO KEY UPDATE SKIP LOCKED;

-- name: ResealNumbers :execrows
UPDATE card c SET pan_sealed = n.sealed
FROM (SELECT unnest(@ids::text[]) AS id, unnest(@sealed::bytea[]) AS sealed) n WHERE c.id = n.id;

-- name: LockDGIsSealedElse :many
SELECT batch_id, card_id, dgis FROM batch_card WHERE substring(dgis FROM 1 FOR 2) <> @newest::bytea
ORDER BY batch_id, card_id LIMIT @max_rows FOR NO KEY UPDATE SKIP LOCKED;

-- name: ResealDGIs :execrows
UPDATE batch_card c SET dgis = n.sealed
FROM (SELECT unnest(@batch_ids::text[]) AS batch_id, unnest(@card_ids::text[]) AS card_id, unnest(@sealed::bytea[]) AS sealed) n
WHERE c.batch_id = n.batch_id AND c.card_id = n.card_id;

-- name: LockDocumentsSealedElse :many
SELECT id, document_number FROM dossier WHERE substring(document_number FROM 1 FOR 2) <> @newest::bytea AND id > @after
ORDER BY id LIMIT @max_rows FOR NO KEY UPDATE SKIP LOCKED;

-- name: ResealDocument :exec
UPDATE dossier SET document_number = @document_number WHERE id = @id;

-- name: LockScansSealedElse :many
SELECT id, content FROM dossier_scan WHERE substring(content FROM 1 FOR 2) <> @newest::bytea AND id > @after
ORDER BY id LIMIT @max_rows FOR NO KEY UPDATE SKIP LOCKED;

-- name: ResealScan :exec
UPDATE dossier_scan SET content = @content WHERE id = @id;
