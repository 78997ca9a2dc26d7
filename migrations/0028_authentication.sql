-- +goose Up

CREATE TYPE authentication_state AS ENUM ('pending', 'accepted', 'refused', 'expired', 'cancelled');

-- A relying service's question: is this user there, and do they want this. One
-- about a user whom nobody knows is kept and judged like any other.
CREATE TABLE authentication (
    id             text PRIMARY KEY,
    service        text NOT NULL,
    client_id      text NOT NULL,
    user_number    text NOT NULL,
    holder_id      text REFERENCES holder, -- null: nobody's
    state          authentication_state NOT NULL,
    function       text NOT NULL,
    content        jsonb NOT NULL, -- what the holder is shown and signs
    means          text NOT NULL,
    mode           text NOT NULL DEFAULT '', -- of the reader
    linked         boolean NOT NULL,         -- whether the proof is over the content
    nonce          bytea NOT NULL CHECK (length(nonce) = 16),
    tries          integer NOT NULL DEFAULT 0,
    policy_version integer NOT NULL,
    created_at     timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    decided_at     timestamptz,
    evidence       jsonb NOT NULL DEFAULT '{}', -- of the proof, never the proof itself
    statement      text NOT NULL DEFAULT '',    -- signed, when somebody asked for it first
    CHECK ((state = 'pending') = (decided_at IS NULL)),
    CHECK (state <> 'accepted' OR holder_id IS NOT NULL)
);
CREATE INDEX authentication_pending ON authentication (expires_at) WHERE state = 'pending';
CREATE INDEX authentication_by_holder ON authentication (holder_id, id);
-- The CODE key takes no input: its code is for the one operation that waits.
CREATE UNIQUE INDEX authentication_code_key ON authentication (holder_id)
    WHERE state = 'pending' AND NOT linked AND function <> 'sign_in';

CREATE TYPE means_state AS ENUM ('proposed', 'active', 'suspended', 'refused', 'ended');

-- A holder's means that is no card and no certificate of the house. What it is made
-- of stands in a table of its kind.
CREATE TABLE means (
    id           text PRIMARY KEY,
    holder_id    text NOT NULL REFERENCES holder,
    kind         text NOT NULL CHECK (kind IN ('code', 'passkey', 'identity_provider', 'foreign_certificate')),
    state        means_state NOT NULL,
    label        text NOT NULL, -- the holder's own word for it
    requested_by text NOT NULL,
    suspended_by text NOT NULL DEFAULT '', -- role
    last_used_at timestamptz,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL
);
CREATE INDEX means_by_holder ON means (holder_id, id);

-- The signer of statements is a delegate of its CA.
ALTER TABLE delegate DROP CONSTRAINT delegate_purpose_check;
ALTER TABLE delegate ADD CONSTRAINT delegate_purpose_check CHECK (purpose IN ('ocsp', 'bureau', 'statement'));
ALTER TABLE house_certificate DROP CONSTRAINT house_certificate_kind_check;
ALTER TABLE house_certificate ADD CONSTRAINT house_certificate_kind_check CHECK (kind IN ('ca', 'ocsp', 'bureau', 'statement', 'lost'));

ALTER TABLE edition DROP CONSTRAINT edition_thing_check;
ALTER TABLE edition ADD CONSTRAINT edition_thing_check CHECK (thing IN ('letter template', 'certificate profile', 'signing policy'));
