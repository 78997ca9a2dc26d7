-- +goose Up

-- The code with which a holder enrols: one a certificate, a new one in the place
-- of the old. Of the code and of the session that it opened only hashes are kept.
CREATE TABLE enrolment (
    certificate_id  text PRIMARY KEY REFERENCES certificate,
    code_sha256     bytea CHECK (length(code_sha256) = 32), -- NULL: it is of no more use
    handover        text NOT NULL CHECK (handover IN ('face_to_face', 'registered_post')),
    handed_by       text NOT NULL,
    handed_at       timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    tries           integer NOT NULL DEFAULT 0 CHECK (tries >= 0), -- wrong ones, counted before they are judged
    session_sha256  bytea UNIQUE CHECK (length(session_sha256) = 32),
    session_expires timestamptz,
    CHECK ((session_sha256 IS NULL) = (session_expires IS NULL))
);

-- Where the key is, as the holder's tool says: nobody attests it.
CREATE TABLE key_device (
    certificate_id text PRIMARY KEY REFERENCES certificate,
    manufacturer   text NOT NULL,
    model          text NOT NULL,
    serial         text NOT NULL,
    claimed_at     timestamptz NOT NULL
);

-- What the holder signed with the certificate's own key, as evidence.
CREATE TABLE acceptance (
    certificate_id text PRIMARY KEY REFERENCES certificate,
    statement      text NOT NULL,
    signature      bytea NOT NULL CHECK (octet_length(signature) BETWEEN 1 AND 2048),
    accepted_at    timestamptz NOT NULL
);

-- Keys that are never certified again, by the SHA-256 of their SubjectPublicKeyInfo.
CREATE TABLE blocked_key (
    spki_sha256 bytea PRIMARY KEY CHECK (length(spki_sha256) = 32),
    why         text NOT NULL,
    blocked_by  text NOT NULL,
    blocked_at  timestamptz NOT NULL
);
INSERT INTO blocked_key (spki_sha256, why, blocked_by, blocked_at)
    SELECT spki_sha256, 'keyCompromise', 'migration', revoked_at FROM certificate WHERE reason = 1 AND spki_sha256 IS NOT NULL;
