-- name: InsertBranch :exec
INSERT INTO branch (id, code, name, street, postcode, city, country, phone, created_at)
VALUES (@id, @code, @name, @street, @postcode, @city, @country, @phone, @created_at)
ON CONFLICT (code) DO NOTHING;

-- name: BranchByCode :one
SELECT id, code, name, street, postcode, city, country, phone, created_at FROM branch WHERE code = @code;

-- name: Branch :one
SELECT id, code, name, street, postcode, city, country, phone, created_at FROM branch WHERE id = @id;

-- name: Branches :many
SELECT id, code, name, street, postcode, city, country, phone, created_at FROM branch ORDER BY code;

-- name: InsertStaff :exec
INSERT INTO staff (id, login, name, roles, branch_id, language, created_at)
VALUES (@id, @login, @name, @roles, @branch_id, @language, @created_at)
ON CONFLICT (login) DO NOTHING;

-- name: StaffByLogin :one
SELECT id, login, name, roles, branch_id, language, active, created_at FROM staff WHERE login = @login;

-- name: InsertTariff :exec
INSERT INTO tariff (product, reason, amount_cents, currency, valid_from)
VALUES (@product, @reason, @amount_cents, @currency, @valid_from)
ON CONFLICT (product, reason, valid_from) DO NOTHING;

-- name: TariffFor :one
SELECT amount_cents, currency FROM tariff
WHERE product = @product AND reason = @reason AND valid_from <= @at
ORDER BY valid_from DESC LIMIT 1;

-- name: InsertCompany :exec
INSERT INTO company (id, client_id, name, country, registry_number, branch_id, created_at)
VALUES (@id, @client_id, @name, @country, @registry_number, @branch_id, @created_at);

-- name: CompanyByClientID :one
SELECT id, client_id, name, country, registry_number, branch_id, created_at FROM company WHERE client_id = @client_id;

-- name: Company :one
SELECT id, client_id, name, country, registry_number, branch_id, created_at FROM company WHERE id = @id;

-- name: InsertHolder :exec
INSERT INTO holder (id, company_id, user_number, given_name, surname, language, email, complement, street, postcode, city,
    country, large_print, created_at, updated_at)
VALUES (@id, @company_id, @user_number, @given_name, @surname, @language, @email, @complement, @street, @postcode, @city,
    @country, @large_print, @created_at, @created_at);

-- name: Holder :one
SELECT id, company_id, user_number, given_name, surname, language, email, complement, street, postcode, city, country,
    created_at, updated_at, address_changed_at, large_print FROM holder WHERE id = @id;

-- name: LockHolder :one
SELECT id, company_id, user_number, given_name, surname, language, email, complement, street, postcode, city, country,
    created_at, updated_at, address_changed_at, large_print FROM holder WHERE id = @id FOR UPDATE;

-- name: LockHolderForShare :one
SELECT id, company_id, user_number, given_name, surname, language, email, complement, street, postcode, city, country,
    created_at, updated_at, address_changed_at, large_print FROM holder WHERE id = @id FOR SHARE;

-- name: HolderByUser :one
SELECT h.id, h.company_id, h.user_number, h.given_name, h.surname, h.language, h.email, h.complement, h.street, h.postcode,
    h.city, h.country, h.created_at, h.updated_at, h.address_changed_at, h.large_print
FROM holder h JOIN company c ON c.id = h.company_id
WHERE c.client_id = @client_id AND h.user_number = @user_number;

-- name: UpdateHolderAddress :exec
UPDATE holder SET complement = @complement, street = @street, postcode = @postcode, city = @city, country = @country,
    updated_at = @updated_at, address_changed_at = @updated_at
WHERE id = @id;

-- name: HoldersOfCompany :many
SELECT id FROM holder WHERE company_id = @company_id ORDER BY id;

-- name: LockHoldersOfCompany :many
SELECT id FROM holder WHERE company_id = @company_id ORDER BY id FOR UPDATE;

-- name: LockCompany :one
SELECT id, client_id, name, country, registry_number, branch_id, created_at FROM company WHERE id = @id FOR UPDATE;

-- name: CorrectHolder :exec
UPDATE holder SET given_name = @given_name, surname = @surname, language = @language, email = @email, updated_at = @updated_at WHERE id = @id;

-- name: CorrectCompany :exec
UPDATE company SET name = @name, country = @country, registry_number = @registry_number WHERE id = @id;

-- What a correction voids, of one holder or of a company's: orders that are approved and
-- not begun, and where a certificate would say it those whose key is not certified yet.
-- name: OrdersOnHolders :many
SELECT o.id, coalesce(c.id, '')::text AS card_id, coalesce(o.target_card, '')::text AS replaced, coalesce(n.id, '')::text AS certificate_id,
    coalesce(n.state::text, '')::text AS certificate_state
FROM orders o LEFT JOIN card c ON c.order_id = o.id LEFT JOIN certificate n ON n.order_id = o.id
WHERE o.holder_id = ANY (@holders::text[]) AND (o.state = 'approved'
    OR @certified::boolean AND o.state = 'in_progress' AND n.state IN ('awaiting_key', 'issuing', 'stopped'))
ORDER BY o.id;

-- Live means on which a name stands that was corrected.
-- name: CardsOfHolders :many
SELECT id FROM card WHERE holder_id = ANY (@holders::text[]) AND state NOT IN ('ordered', 'approved', 'in_house', 'opposed', 'expired', 'destroyed', 'cancelled')
ORDER BY id;

-- name: CertificatesOfHolders :many
SELECT id FROM certificate WHERE holder_id = ANY (@holders::text[]) AND state IN ('issued', 'active', 'held') ORDER BY id;

-- name: Holders :many
SELECT h.id, c.client_id, h.user_number, h.language, h.given_name, h.surname
FROM holder h JOIN company c ON c.id = h.company_id ORDER BY c.client_id, h.user_number LIMIT @max_rows;

-- name: InsertProduct :exec
INSERT INTO product (code, valid_from, kind, name, tariff, cap_profile, ipb, pin_length, pin_tries, validity_months, bureau, in_house,
    plastic, reader, deliveries, pin_delay_days, old_card_days)
VALUES (@code, @valid_from, @kind, @name, @tariff, @cap_profile, @ipb, @pin_length, @pin_tries, @validity_months, @bureau, @in_house,
    @plastic, @reader, @deliveries, @pin_delay_days, @old_card_days)
ON CONFLICT (code, valid_from) DO NOTHING;

-- name: ProductAt :one
SELECT code, valid_from, kind, name, tariff, cap_profile, ipb, pin_length, pin_tries, validity_months, bureau, in_house, plastic, reader,
    deliveries, pin_delay_days, old_card_days
FROM product WHERE code = @code AND valid_from <= @at ORDER BY valid_from DESC LIMIT 1;

-- name: ProductsAt :many
SELECT DISTINCT ON (code) code, valid_from, kind, name, tariff, cap_profile, ipb, pin_length, pin_tries, validity_months, bureau, in_house,
    plastic, reader, deliveries, pin_delay_days, old_card_days
FROM product WHERE valid_from <= @at ORDER BY code, valid_from DESC;
