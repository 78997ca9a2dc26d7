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
