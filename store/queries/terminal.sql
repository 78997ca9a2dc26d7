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

-- Where an order may be carried out: the branch that it names, or with none, those
-- of its card and of its holder's company.
-- name: PlacesOfOrder :one
SELECT coalesce(o.branch_id, '')::text AS named, coalesce(k.branch_id, '')::text AS of_card, c.branch_id::text AS of_company
FROM orders o JOIN holder h ON h.id = o.holder_id JOIN company c ON c.id = h.company_id LEFT JOIN card k ON k.id = o.target_card
WHERE o.id = @id;
