-- name: InsertCardLetters :exec
INSERT INTO card_letter (id, card_id, psn, state, created_at)
SELECT n.id, c.id, c.psn, @state::letter_state, @created_at::timestamptz
FROM (SELECT unnest(@ids::text[]) AS id, unnest(@cards::text[]) AS card_id) n JOIN card c ON c.id = n.card_id;

-- name: LockCardLetters :many
SELECT id, card_id, psn, state, created_at, posted_at, failure, returned FROM card_letter
WHERE id = ANY (@ids::text[]) ORDER BY id FOR UPDATE;

-- name: SetCardLettersState :execrows
UPDATE card_letter SET state = @to_state WHERE id = ANY (@ids::text[]) AND state = @from_state;

-- name: SetCardLettersPosted :exec
UPDATE card_letter SET posted_at = @posted_at WHERE id = ANY (@ids::text[]);

-- name: LockCardLetter :one
SELECT id, card_id, psn, state, created_at, posted_at, failure, returned FROM card_letter WHERE id = @id FOR UPDATE;

-- name: CardLetterOfCard :one
SELECT id, card_id, psn, state, created_at, posted_at, failure, returned FROM card_letter WHERE card_id = @card_id AND psn = @psn;

-- name: LockCardLetterOfCard :one
SELECT id, card_id, psn, state, created_at, posted_at, failure, returned FROM card_letter WHERE card_id = @card_id AND psn = @psn FOR UPDATE;

-- name: SetCardLetterState :execrows
UPDATE card_letter SET state = @to_state WHERE id = @id AND state = @from_state;

-- name: CardLettersPrinted :many
SELECT id, card_id FROM card_letter WHERE state = 'printed' AND id > @after ORDER BY id LIMIT @max_rows;

-- name: FailCardLetter :exec
UPDATE card_letter SET failure = @failure WHERE id = @id;

-- name: FailPINLetter :exec
UPDATE pin_letter SET failure = @failure WHERE id = @id;

-- name: SetCardLetterReturned :exec
UPDATE card_letter SET returned = @reason WHERE id = @id;

-- name: SetPINLetterReturned :exec
UPDATE pin_letter SET returned = @reason WHERE id = @id;

-- name: CardOfLetter :one
SELECT card_id FROM card_letter WHERE card_letter.id = @letter_id::text
UNION ALL SELECT card_id FROM pin_letter WHERE pin_letter.id = @letter_id::text;

-- name: FailedLetters :many
SELECT id, card_id, failure FROM card_letter WHERE state = 'failed'
UNION ALL SELECT id, card_id, failure FROM pin_letter WHERE state = 'failed' ORDER BY id LIMIT @max_rows;

-- name: InsertPINLetters :exec
INSERT INTO pin_letter (id, card_id, pin_version, state, post_after, created_at)
SELECT n.id, n.card_id, n.pin_version, @state::letter_state, n.post_after, @created_at::timestamptz
FROM (SELECT unnest(@ids::text[]) AS id, unnest(@cards::text[]) AS card_id, unnest(@pin_versions::int[]) AS pin_version,
        unnest(@post_after::timestamptz[]) AS post_after) n;

-- name: LockPINLetter :one
SELECT id, card_id, pin_version, state, post_after, created_at, posted_at, failure, returned FROM pin_letter WHERE id = @id FOR UPDATE;

-- name: PINLetterOfCard :one
SELECT id, card_id, pin_version, state, post_after, created_at, posted_at, failure, returned FROM pin_letter
WHERE card_id = @card_id AND pin_version = @pin_version;

-- name: LockPINLetterOfCard :one
SELECT id, card_id, pin_version, state, post_after, created_at, posted_at, failure, returned FROM pin_letter
WHERE card_id = @card_id AND pin_version = @pin_version FOR UPDATE;

-- name: PINLettersDue :many
SELECT id FROM pin_letter WHERE state = 'printed' AND post_after <= @at AND id > @after ORDER BY id LIMIT @max_rows;

-- name: LockPINLetters :many
SELECT id, card_id, pin_version, state, post_after, created_at, posted_at, failure, returned FROM pin_letter
WHERE id = ANY (@ids::text[]) ORDER BY id FOR UPDATE;

-- name: SetPINLettersState :execrows
UPDATE pin_letter SET state = @to_state WHERE id = ANY (@ids::text[]) AND state = @from_state;

-- name: SetPINLetterState :execrows
UPDATE pin_letter SET state = @to_state WHERE id = @id AND state = @from_state;

-- name: SetPINLettersPosted :exec
UPDATE pin_letter SET posted_at = @posted_at WHERE id = ANY (@ids::text[]);

-- name: InsertDocument :exec
INSERT INTO document (id, media_type, content, sha256, created_at) VALUES (@id, @media_type, @content, @sha256, @created_at);

-- name: Document :one
SELECT id, media_type, content, sha256, created_at FROM document WHERE id = @id;

