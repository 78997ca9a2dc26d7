-- +goose Up

-- What two people agree on, one version after the other: what letters say, and
-- what certificates are like. Version 0 is the built-in one, which is no row.
ALTER TYPE template_state RENAME TO edition_state;
DROP INDEX letter_template_live;
ALTER TABLE letter_template RENAME TO edition;
ALTER TABLE edition RENAME COLUMN kind TO name;
ALTER TABLE edition ALTER COLUMN name TYPE text;
ALTER TABLE edition ADD COLUMN thing text NOT NULL DEFAULT 'letter template'
    CHECK (thing IN ('letter template', 'certificate profile'));
ALTER TABLE edition ALTER COLUMN thing DROP DEFAULT;
ALTER TABLE edition DROP CONSTRAINT letter_template_pkey;
ALTER TABLE edition ADD CONSTRAINT edition_pkey PRIMARY KEY (thing, name, version);
CREATE UNIQUE INDEX edition_live ON edition (thing, name) WHERE state = 'live';

-- A certificate whose draft breaks a rule, through no fault of its holder, waits
-- for staff; why stands with it.
ALTER TYPE certificate_state ADD VALUE 'stopped' AFTER 'issuing';
ALTER TABLE certificate ADD COLUMN stopped text NOT NULL DEFAULT '';

-- The version of its profile, fixed when its order is approved; and of a system's
-- certificate the system's name: its holder answers for it.
ALTER TABLE certificate ADD COLUMN profile_version integer CHECK (profile_version >= 0);
ALTER TABLE certificate ADD COLUMN service text NOT NULL DEFAULT '';
UPDATE certificate SET profile_version = 0 WHERE state NOT IN ('ordered', 'cancelled');

-- Whose a distinguished name is, for ever: of a holder, or of the company whose
-- system has it. The hash is that of the encoded name.
CREATE TABLE subject_name (
    sha256     bytea PRIMARY KEY CHECK (length(sha256) = 32),
    owner      text NOT NULL,
    first_used timestamptz NOT NULL
);

-- Names of older certificates, read from their drafts: in a TBSCertificate with a
-- version, the sixth element is the subject.
-- +goose StatementBegin
CREATE FUNCTION der_subject(tbs bytea) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
    at integer := 0; -- octets before the element
    size integer;
    head integer;
BEGIN
    FOR element IN 0..6 LOOP
        size := get_byte(tbs, at + 1);
        head := 2;
        IF size >= 128 THEN
            head := 2 + size - 128;
            size := 0;
            FOR i IN 2..head - 1 LOOP
                size := size * 256 + get_byte(tbs, at + i);
            END LOOP;
        END IF;
        IF element = 6 THEN
            RETURN substring(tbs FROM at + 1 FOR head + size);
        ELSIF element = 0 THEN
            at := at + head; -- into the sequence
        ELSE
            at := at + head + size;
        END IF;
    END LOOP;
END $$;
-- +goose StatementEnd
INSERT INTO subject_name (sha256, owner, first_used)
SELECT sha256(der_subject(tbs)), min(holder_id), min(created_at) FROM certificate WHERE tbs IS NOT NULL GROUP BY 1;
DROP FUNCTION der_subject(bytea);
