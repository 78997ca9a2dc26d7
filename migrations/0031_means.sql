-- +goose Up

-- A code that staff hand over, with which a holder adds a means of a kind without
-- being signed in strongly. One of a kind at a time, for one use.
CREATE TABLE means_invitation (
    holder_id   text NOT NULL REFERENCES holder,
    kind        text NOT NULL,
    code_sha256 bytea NOT NULL,
    handover    text NOT NULL,
    handed_by   text NOT NULL,
    handed_at   timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz,
    PRIMARY KEY (holder_id, kind)
);

-- What an accepted authentication was used for: once, whatever it is. So what a
-- holder signed to have a means added or brought back opens one act.
CREATE TABLE authentication_use (
    authentication_id text PRIMARY KEY REFERENCES authentication,
    used_for          text NOT NULL,
    used_at           timestamptz NOT NULL
);

-- A means that is being added: a passkey that its user's browser makes.
CREATE TABLE means_registration (
    id         text PRIMARY KEY,
    holder_id  text NOT NULL REFERENCES holder,
    kind       text NOT NULL,
    label      text NOT NULL,
    service    text NOT NULL,
    challenge  bytea NOT NULL CHECK (length(challenge) = 32),
    signed_by  text REFERENCES authentication, -- null: by a code of staff's
    code_sha256 bytea, -- of an invitation
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    done_at    timestamptz,
    CHECK ((signed_by IS NULL) = (code_sha256 IS NOT NULL))
);

-- A secret code, by argon2id with its parameters.
CREATE TABLE secret_code (
    means_id text PRIMARY KEY REFERENCES means,
    hash     text NOT NULL
);

-- Wrong secret codes in a row, by what was typed: of users whom nobody knows too, so
-- that a block tells nothing.
CREATE TABLE secret_code_try (
    client_id   text NOT NULL,
    user_number text NOT NULL,
    failures    integer NOT NULL,
    tried_at    timestamptz NOT NULL,
    PRIMARY KEY (client_id, user_number)
);

CREATE TABLE passkey (
    means_id      text PRIMARY KEY REFERENCES means,
    credential_id bytea NOT NULL UNIQUE CHECK (length(credential_id) BETWEEN 1 AND 1023),
    public_key    bytea NOT NULL, -- COSE
    sign_count    bigint NOT NULL,
    aaguid        bytea NOT NULL,
    backed_up     boolean NOT NULL, -- when it was made: it can be on several devices
    transports    text[] NOT NULL DEFAULT '{}'
);

-- A user has one secret code.
CREATE UNIQUE INDEX means_one_code ON means (holder_id) WHERE kind = 'code' AND state IN ('active', 'suspended');

-- The last strong sign-in of a user (RTS article 10).
CREATE INDEX authentication_strong ON authentication (holder_id, decided_at)
    WHERE state = 'accepted' AND function = 'sign_in' AND means <> 'code';
