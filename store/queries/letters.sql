-- name: InsertCardLetter :exec
INSERT INTO card_letter (id, card_id, psn, state, created_at) VALUES (@id, @card_id, @psn, @state, @created_at);

-- name: LockCardLetter :one
SELECT id, card_id, psn, state, fence, created_at, posted_at FROM card_letter WHERE id = @id FOR UPDATE;

-- name: CardLetterOfCard :one
SELECT id, card_id, psn, state, fence, created_at, posted_at FROM card_letter WHERE card_id = @card_id AND psn = @psn;

-- name: LockCardLetterOfCard :one
SELECT id, card_id, psn, state, fence, created_at, posted_at FROM card_letter WHERE card_id = @card_id AND psn = @psn FOR UPDATE;

-- name: CardLettersInState :many
SELECT id, card_id, psn, state, fence, created_at, posted_at FROM card_letter WHERE state = @state ORDER BY id LIMIT @max_rows;

-- name: FenceCardLetter :one
UPDATE card_letter SET fence = fence + 1 WHERE id = @id RETURNING fence;

-- name: SetCardLetterState :execrows
UPDATE card_letter SET state = @to_state WHERE id = @id AND state = @from_state;

-- name: SetCardLetterPosted :exec
UPDATE card_letter SET posted_at = @posted_at WHERE id = @id;

-- name: InsertPINLetter :exec
INSERT INTO pin_letter (id, card_id, pin_version, state, post_after, created_at)
VALUES (@id, @card_id, @pin_version, @state, @post_after, @created_at);

-- name: LockPINLetter :one
SELECT id, card_id, pin_version, state, fence, post_after, created_at, posted_at FROM pin_letter WHERE id = @id FOR UPDATE;

-- name: PINLetterOfCard :one
SELECT id, card_id, pin_version, state, fence, post_after, created_at, posted_at FROM pin_letter
WHERE card_id = @card_id AND pin_version = @pin_version;

-- name: LockPINLetterOfCard :one
SELECT id, card_id, pin_version, state, fence, post_after, created_at, posted_at FROM pin_letter
WHERE card_id = @card_id AND pin_version = @pin_version FOR UPDATE;

-- name: PINLettersInState :many
SELECT id, card_id, pin_version, state, fence, post_after, created_at, posted_at FROM pin_letter
WHERE state = @state ORDER BY id LIMIT @max_rows;

-- name: PINLettersDue :many
SELECT id, card_id, pin_version, state, fence, post_after, created_at, posted_at FROM pin_letter
WHERE state = 'printed' AND post_after <= @at ORDER BY id LIMIT @max_rows;

-- name: FencePINLetter :one
UPDATE pin_letter SET fence = fence + 1 WHERE id = @id RETURNING fence;

-- name: SetPINLetterState :execrows
UPDATE pin_letter SET state = @to_state WHERE id = @id AND state = @from_state;

-- name: SetPINLetterPosted :exec
UPDATE pin_letter SET posted_at = @posted_at WHERE id = @id;

-- name: LetterFacts :one
SELECT c.id AS card_id, c.last4, c.expiry, c.product, c.delivery, c.branch_id, c.state, h.given_name, h.surname, h.language,
    h.complement, h.street, h.postcode, h.city, h.country, h.user_number, o.client_id, o.name AS company,
    coalesce(b.name, '')::text AS branch_name, coalesce(b.street, '')::text AS branch_street,
    coalesce(b.postcode, '')::text AS branch_postcode, coalesce(b.city, '')::text AS branch_city,
    coalesce(b.country, '')::text AS branch_country
FROM card c JOIN holder h ON h.id = c.holder_id JOIN company o ON o.id = h.company_id LEFT JOIN branch b ON b.id = c.branch_id
WHERE c.id = @card_id;

-- name: PINLetterFacts :one
SELECT h.given_name, h.surname, h.language, h.complement, h.street, h.postcode, h.city, h.country, o.name AS company
FROM card c JOIN holder h ON h.id = c.holder_id JOIN company o ON o.id = h.company_id
WHERE c.id = @card_id;

-- name: InsertDocument :exec
INSERT INTO document (id, media_type, content, sha256, created_at) VALUES (@id, @media_type, @content, @sha256, @created_at);

-- name: Document :one
SELECT id, media_type, content, sha256, created_at FROM document WHERE id = @id;

-- name: DeleteDocument :exec
DELETE FROM document WHERE id = @id;
