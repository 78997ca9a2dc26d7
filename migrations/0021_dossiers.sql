-- +goose Up

CREATE TYPE dossier_state AS ENUM ('open', 'complete', 'archived', 'erased');

-- What proves that a holder is who a certificate says. Each part is there as a whole
-- or not at all. When it is erased, number, mark and names are gone.
CREATE TABLE dossier (
    id              text PRIMARY KEY,
    holder_id       text NOT NULL REFERENCES holder,
    state           dossier_state NOT NULL,
    revision        integer NOT NULL DEFAULT 0,
    opened_by       text NOT NULL,
    opened_at       timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    completed_at    timestamptz,                                -- an approval relied on it first
    content_sha256  bytea CHECK (length(content_sha256) = 32),  -- of what was relied on
    retention_years integer NOT NULL DEFAULT 0,                 -- the longest of the certificates that rely on it
    held_why        text NOT NULL DEFAULT '',                   -- a dispute: it is not erased
    erased_at       timestamptz,

    document_type       text CHECK (document_type IN ('passport', 'identity_card', 'residence_permit')),
    document_country    text NOT NULL DEFAULT '',
    document_number     bytea,                     -- sealed
    document_mark       bytea,                     -- finds the same document in other dossiers
    document_last       text NOT NULL DEFAULT '',  -- the number's last characters
    document_expires    date,
    document_given_name text NOT NULL DEFAULT '',
    document_surname    text NOT NULL DEFAULT '',
    seen_how            text NOT NULL DEFAULT '' CHECK (seen_how IN ('', 'face_to_face', 'signed_request', 'paper_copy')),
    seen_where          text NOT NULL DEFAULT '',
    seen_on             date,
    seen_by             text NOT NULL DEFAULT '',
    signed_with         text REFERENCES certificate, -- of a signed request
    signed_level        text NOT NULL DEFAULT '',    -- of that certificate, when the request came in

    mandate_signed_by   text NOT NULL DEFAULT '',
    mandate_signed_on   date,
    mandate_accepted_on date,
    mandate_agent       text REFERENCES holder, -- the certification agent who signs too
    extract_number      text NOT NULL DEFAULT '',
    extract_on          date,
    terms_version       text NOT NULL DEFAULT '',
    terms_on            date,

    CHECK ((state = 'erased') = (erased_at IS NOT NULL)),
    CHECK ((completed_at IS NULL) = (content_sha256 IS NULL)),
    CHECK ((document_number IS NULL) = (document_mark IS NULL)),
    CHECK (document_type IS NULL = (document_expires IS NULL) AND document_type IS NULL = (seen_on IS NULL)),
    CHECK (state = 'erased' OR document_type IS NULL = (document_number IS NULL)),
    CHECK (state <> 'erased' OR document_number IS NULL AND document_last || document_given_name || document_surname || mandate_signed_by = ''),
    CHECK ((mandate_signed_on IS NULL) = (mandate_accepted_on IS NULL)),
    CHECK ((seen_how = 'signed_request') = (signed_with IS NOT NULL))
);
-- A holder has one that evidence comes into, or that approvals rely on.
CREATE UNIQUE INDEX dossier_live ON dossier (holder_id) WHERE state IN ('open', 'complete');
CREATE INDEX dossier_document ON dossier (document_mark) WHERE document_mark IS NOT NULL;

-- A scan, sealed; what stays when it is erased is that it was.
CREATE TABLE dossier_scan (
    id         text PRIMARY KEY,
    dossier_id text NOT NULL REFERENCES dossier,
    kind       text NOT NULL CHECK (kind IN ('identity', 'mandate', 'extract', 'terms')),
    media_type text NOT NULL CHECK (media_type IN ('application/pdf', 'image/jpeg', 'image/png')),
    size       integer NOT NULL CHECK (size > 0),
    sha256     bytea NOT NULL CHECK (length(sha256) = 32),
    pages      integer NOT NULL,
    width      integer NOT NULL,
    height     integer NOT NULL,
    content    bytea,
    added_by   text NOT NULL,
    added_at   timestamptz NOT NULL,
    UNIQUE (dossier_id, sha256)
);
-- What is kept there is encrypted: it never becomes smaller.
ALTER TABLE dossier_scan ALTER COLUMN content SET STORAGE EXTERNAL;

-- Holders whom their company has named to sign requests for others (mandataire de
-- certification).
CREATE TABLE certification_agent (
    holder_id   text PRIMARY KEY REFERENCES holder,
    mandate_on  date NOT NULL,
    enrolled_by text NOT NULL,
    enrolled_at timestamptz NOT NULL,
    ended_at    timestamptz
);

-- The dossier that the approval of a certificate relied on.
ALTER TABLE certificate ADD COLUMN dossier_id text REFERENCES dossier;
CREATE INDEX certificate_dossier ON certificate (dossier_id) WHERE dossier_id IS NOT NULL;

-- No row can be sealed under a data key that is retired (0013).
-- +goose StatementBegin
CREATE FUNCTION document_is_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM data_key_is_in_use(NEW.document_number);
    RETURN NEW;
END $$;
CREATE FUNCTION scan_is_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM data_key_is_in_use(NEW.content);
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER sealed_in_use BEFORE INSERT OR UPDATE OF document_number ON dossier
    FOR EACH ROW WHEN (NEW.document_number IS NOT NULL) EXECUTE FUNCTION document_is_sealed();
CREATE TRIGGER sealed_in_use BEFORE INSERT OR UPDATE OF content ON dossier_scan
    FOR EACH ROW WHEN (NEW.content IS NOT NULL) EXECUTE FUNCTION scan_is_sealed();
