-- name: InsertIdentityProof :exec
INSERT INTO identity_proof (order_id, document) VALUES (@order_id, @document);

-- name: IdentityProof :one
SELECT coalesce((SELECT document FROM identity_proof WHERE order_id = @order_id::text), '')::text AS document;

-- name: NextPINVersion :one
SELECT (greatest(c.pin_version, coalesce((SELECT max(p.pin_version) FROM pin_change p WHERE p.card_id = c.id), 1)) + 1)::integer
FROM card c WHERE c.id = @card_id;

-- name: InsertPINChange :exec
INSERT INTO pin_change (order_id, card_id, pin_version, attempt_id) VALUES (@order_id, @card_id, @pin_version, @attempt_id);

-- name: PINChange :one
SELECT order_id, card_id, pin_version, attempt_id FROM pin_change WHERE order_id = @order_id;

-- name: SetCardPINVersion :exec
UPDATE card SET pin_version = @pin_version WHERE id = @id;
