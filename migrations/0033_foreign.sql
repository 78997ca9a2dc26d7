-- +goose Up

ALTER TABLE edition DROP CONSTRAINT edition_thing_check;
ALTER TABLE edition ADD CONSTRAINT edition_thing_check CHECK (thing IN ('letter template', 'certificate profile', 'signing policy', 'trust list'));

-- A list of another CA as it was fetched and believed. Rows are written once; what a
-- source has now is named by it, so that a serial is looked up in one list or the next,
-- never in half of one.
CREATE TABLE foreign_list (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_key  bytea NOT NULL CHECK (length(issuer_key) = 32), -- SHA-256 of the signer's name and key
    number      bytea NOT NULL CHECK (length(number) = 20),
    this_update timestamptz NOT NULL,
    next_update timestamptz NOT NULL,
    points      text[] NOT NULL, -- distribution points that it is for; none: all
    entries     integer NOT NULL,
    sha256      bytea NOT NULL,
    fetched_at  timestamptz NOT NULL
);
CREATE TABLE foreign_revoked (
    list_id    bigint NOT NULL REFERENCES foreign_list ON DELETE CASCADE,
    serial     bytea NOT NULL, -- big-endian, without leading zeros
    revoked_at timestamptz NOT NULL,
    reason     integer NOT NULL,
    PRIMARY KEY (list_id, serial)
);
-- Where a list of an accepted CA is fetched, and what became of it.
CREATE TABLE foreign_source (
    trusted  text NOT NULL, -- the entry's name
    address  text NOT NULL,
    list_id  bigint REFERENCES foreign_list,
    tried_at timestamptz NOT NULL,
    failure  text NOT NULL DEFAULT '', -- of the last try
    PRIMARY KEY (trusted, address)
);
CREATE UNIQUE INDEX foreign_source_list ON foreign_source (list_id);

-- The newest OCSP answer about a certificate of another CA.
CREATE TABLE foreign_answer (
    sha256     bytea PRIMARY KEY CHECK (length(sha256) = 32), -- of the certificate
    code       text NOT NULL, -- "": good
    source     text NOT NULL,
    at         timestamptz NOT NULL,
    until      timestamptz NOT NULL,
    revoked_at timestamptz,
    reason     integer NOT NULL DEFAULT 0,
    der        bytea NOT NULL
);

-- What a holder signs to show that a certificate's key is theirs: once, within its time.
CREATE TABLE binding_challenge (
    holder_id  text PRIMARY KEY REFERENCES holder,
    nonce      bytea NOT NULL CHECK (length(nonce) = 16),
    expires_at timestamptz NOT NULL
);

-- A certificate of another CA that is, or was to be, a holder's means.
CREATE TABLE foreign_certificate (
    means_id    text PRIMARY KEY REFERENCES means,
    trusted     text NOT NULL,
    der         bytea NOT NULL,
    sha256      bytea NOT NULL CHECK (length(sha256) = 32),
    spki_sha256 bytea NOT NULL CHECK (length(spki_sha256) = 32),
    subject     text NOT NULL,
    issuer      text NOT NULL,
    serial      bytea NOT NULL,
    not_after   timestamptz NOT NULL,
    signed      bytea NOT NULL, -- the text of the challenge
    signature   bytea NOT NULL
);
CREATE INDEX foreign_certificate_by_sha256 ON foreign_certificate (sha256);
CREATE INDEX foreign_certificate_by_spki ON foreign_certificate (spki_sha256);
CREATE INDEX means_proposed ON means (id) WHERE state = 'proposed';
