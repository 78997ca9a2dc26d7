-- +goose Up

-- Whom a company names to speak for it: they may have its certificates revoked.
CREATE TABLE representative (
    id          text PRIMARY KEY,
    company_id  text NOT NULL REFERENCES company,
    name        text NOT NULL,
    office      text NOT NULL, -- "gérante"
    recorded_by text NOT NULL,
    recorded_at timestamptz NOT NULL,
    ended_at    timestamptz
);
CREATE INDEX representative_by_company ON representative (company_id);

-- What somebody asked of a certificate: who, how they were recognised, and what
-- came of it. One whose caller was not recognised waits for a day.
CREATE TYPE revocation_state AS ENUM ('unconfirmed', 'scheduled', 'done', 'closed');
CREATE TABLE revocation_request (
    id                text PRIMARY KEY,
    certificate_id    text NOT NULL REFERENCES certificate,
    state             revocation_state NOT NULL,
    act               text NOT NULL CHECK (act IN ('revoke', 'hold', 'release')),
    reason            integer NOT NULL CHECK (reason BETWEEN 0 AND 10 AND reason NOT IN (7, 8)),
    invalidity_date   timestamptz,
    caller            text NOT NULL CHECK (caller IN ('holder', 'representative', 'bank')),
    representative_id text REFERENCES representative,
    recognised_by     text NOT NULL CHECK (recognised_by IN ('code', 'signature', 'questions', 'own')),
    evidence          bytea, -- a signature by the certificate's own key
    taken_by          text NOT NULL,
    role              text NOT NULL,
    note              text NOT NULL DEFAULT '',
    requested_at      timestamptz NOT NULL, -- when the call came in
    recorded_at       timestamptz NOT NULL,
    due_at            timestamptz NOT NULL, -- later than it came in: scheduled
    ended_at          timestamptz,
    why               text NOT NULL DEFAULT '', -- it is not confirmed, or was closed
    CHECK ((caller = 'representative') = (representative_id IS NOT NULL)),
    CHECK ((recognised_by = 'signature') = (evidence IS NOT NULL))
);
CREATE INDEX revocation_request_by_certificate ON revocation_request (certificate_id, id);
CREATE INDEX revocation_request_open ON revocation_request (due_at) WHERE state IN ('unconfirmed', 'scheduled');

-- What a caller was asked, and whether the answer was right; never the answer.
CREATE TABLE caller_answer (
    request_id text NOT NULL REFERENCES revocation_request,
    question   text NOT NULL,
    is_right   boolean NOT NULL,
    PRIMARY KEY (request_id, question)
);

-- How long a change of status took from the call to those who ask: one row a
-- version of the status. Who signs answers and lists fills the rest in.
CREATE TABLE status_change (
    certificate_id text NOT NULL REFERENCES certificate,
    version        integer NOT NULL,
    event          text NOT NULL CHECK (event IN ('revoke', 'hold', 'release')),
    serial         bytea NOT NULL,
    issuer_id      text NOT NULL,
    shard          integer NOT NULL,
    revision       bigint NOT NULL, -- of the shard
    requested_at   timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL,
    ocsp_at        timestamptz,
    crl_at         timestamptz,
    crl_number     bigint, -- of the first list that tells it
    PRIMARY KEY (certificate_id, version),
    CHECK ((crl_at IS NULL) = (crl_number IS NULL))
);
CREATE INDEX status_change_not_answered ON status_change (serial) WHERE ocsp_at IS NULL;
CREATE INDEX status_change_not_listed ON status_change (issuer_id, shard, revision) WHERE crl_at IS NULL;
CREATE INDEX status_change_late ON status_change (recorded_at) WHERE ocsp_at IS NULL OR crl_at IS NULL;
CREATE INDEX status_change_recorded ON status_change (recorded_at);

-- The code with which a certificate is revoked without signing in, day and night:
-- one a certificate, a new one in the place of the old, kept as a hash.
CREATE TABLE revocation_code (
    certificate_id  text PRIMARY KEY REFERENCES certificate,
    code_sha256     bytea NOT NULL CHECK (length(code_sha256) = 32),
    made_by         text NOT NULL,
    made_at         timestamptz NOT NULL,
    session_sha256  bytea UNIQUE CHECK (length(session_sha256) = 32),
    session_expires timestamptz,
    CHECK ((session_sha256 IS NULL) = (session_expires IS NULL))
);

-- Codes that were tried, by the hash of the reference that they were tried for,
-- whether there is such a one or not. Forgotten when the window is over.
CREATE TABLE revocation_try (
    reference_sha256 bytea PRIMARY KEY CHECK (length(reference_sha256) = 32),
    tries            integer NOT NULL,
    since            timestamptz NOT NULL
);
CREATE INDEX revocation_try_by_age ON revocation_try (since);

-- A certificate that comes in the place of another, with a key of its own. The old
-- one ends some days after the new one was accepted, or by itself.
CREATE TABLE renewal (
    certificate_id text PRIMARY KEY REFERENCES certificate,
    renews         text NOT NULL REFERENCES certificate,
    ordered_by     text NOT NULL,
    ordered_at     timestamptz NOT NULL,
    ended_at       timestamptz, -- nothing is left to do
    CHECK (certificate_id <> renews)
);
CREATE INDEX renewal_of ON renewal (renews);
CREATE INDEX renewal_open ON renewal (certificate_id) WHERE ended_at IS NULL;
