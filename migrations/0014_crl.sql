-- +goose Up

-- A certificate's entry on its list as DER, written with each change of status:
-- a list is these, one after the other. Of a released one, its removeFromCRL.
ALTER TABLE certificate ADD COLUMN crl_entry bytea;

-- Rows of older versions. Serials have sixteen octets that need no other, years
-- lie before 2050.
UPDATE certificate SET crl_entry = '\x30'::bytea || set_byte('\x00'::bytea, 0, length(body)) || body
FROM (
    SELECT id AS of, '\x0210'::bytea || serial
        || '\x170d'::bytea || convert_to(to_char(coalesce(revoked_at, updated_at) AT TIME ZONE 'UTC', 'YYMMDDHH24MISS"Z"'), 'UTF8')
        || CASE WHEN length(extensions) = 0 THEN ''::bytea
            ELSE '\x30'::bytea || set_byte('\x00'::bytea, 0, length(extensions)) || extensions END AS body
    FROM (
        SELECT id, serial, revoked_at, updated_at,
            CASE WHEN coalesce(reason, 8) = 0 THEN ''::bytea
                ELSE '\x300a0603551d1504030a01'::bytea || set_byte('\x00'::bytea, 0, coalesce(reason, 8)) END
            || CASE WHEN invalidity_date IS NULL THEN ''::bytea
                ELSE '\x30180603551d180411180f'::bytea
                    || convert_to(to_char(invalidity_date AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISS"Z"'), 'UTF8') END AS extensions
        FROM certificate WHERE revoked_at IS NOT NULL OR crl_revision > 0
    ) AS parts
) AS entry WHERE id = entry.of;
ALTER TABLE certificate ADD CONSTRAINT revoked_has_entry CHECK (revoked_at IS NULL OR crl_entry IS NOT NULL);

-- All that a full list takes, in its order, without a look at the rows.
DROP INDEX certificate_revoked;
CREATE INDEX certificate_listed ON certificate (issuer_id, shard, serial) INCLUDE (crl_entry, not_after, crl_revision)
    WHERE revoked_at IS NOT NULL;

-- Certificates that no order asked for: of CAs and of their delegates. And
-- serials of which nobody knows more than that they are revoked: what was issued
-- and revoked after the day to which a database was restored.
CREATE TABLE house_certificate (
    serial          bytea PRIMARY KEY CHECK (length(serial) = 16),
    issuer_id       text NOT NULL REFERENCES issuer,
    shard           integer NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('ca', 'ocsp', 'bureau', 'lost')),
    subject         text NOT NULL,
    not_after       timestamptz, -- NULL: nobody knows, so it stays on the list
    revoked_at      timestamptz,
    reason          integer,
    invalidity_date timestamptz,
    crl_revision    bigint NOT NULL DEFAULT 0,
    crl_entry       bytea,
    created_at      timestamptz NOT NULL,
    CHECK ((revoked_at IS NULL) = (reason IS NULL)),
    CHECK ((revoked_at IS NULL) = (crl_entry IS NULL)),
    CHECK (kind <> 'lost' OR revoked_at IS NOT NULL)
);
CREATE INDEX house_certificate_by_issuer ON house_certificate (issuer_id, shard, serial);

-- The highest number that was reserved, also when its list was never finished,
-- and is on record nowhere else: a number is used once.
ALTER TABLE crl_shard ADD COLUMN number bigint NOT NULL DEFAULT 0;
UPDATE crl_shard SET number = coalesce(
    (SELECT max(number) FROM crl WHERE crl.issuer_id = crl_shard.issuer_id AND crl.shard = crl_shard.shard), 0);

-- A list that has a hash is published. Its bytes are kept in one piece, not
-- compressed: they do not shrink, and a piece of them is read without the rest.
-- Those of lists between two scheduled ones go when the next scheduled one is out.
ALTER TABLE crl ADD COLUMN sha256 bytea;
ALTER TABLE crl ALTER COLUMN full_der SET STORAGE EXTERNAL, ALTER COLUMN delta_der SET STORAGE EXTERNAL;
UPDATE crl SET sha256 = sha256(full_der), delta_der = NULL WHERE full_der IS NOT NULL; -- older deltas are in no order

-- What is fixed for an issuer's life: where its lists are, which stands in every
-- certificate, and whether revoked certificates stay listed after their end.
ALTER TABLE issuer ADD COLUMN public_base text NOT NULL DEFAULT '';
ALTER TABLE issuer ADD COLUMN keeps_expired boolean NOT NULL DEFAULT false;

-- An act that two people agree on: the second says the same, to the letter.
CREATE TABLE proposal (
    subject        text PRIMARY KEY,
    content_sha256 bytea NOT NULL,
    proposed_by    text NOT NULL,
    proposed_at    timestamptz NOT NULL
);
