-- +goose Up
-- Everything that Sceau remembers. States are enums whose labels a test compares
-- with the tables in lifecycle; business time is written by the application,
-- never by the server's clock.

CREATE TYPE order_kind AS ENUM ('new_card', 'replacement_card', 'pin_counter_reset', 'new_certificate');
CREATE TYPE order_state AS ENUM ('submitted', 'approved', 'in_progress', 'completed', 'failed', 'refused', 'cancelled');
CREATE TYPE card_state AS ENUM ('ordered', 'approved', 'personalising', 'personalised', 'with_bureau', 'made', 'posted',
    'at_branch', 'received', 'active', 'suspended', 'pin_blocked', 'opposed', 'expired', 'cancelled', 'destroyed');
CREATE TYPE letter_state AS ENUM ('requested', 'rendered', 'printed', 'posted', 'delivered', 'returned', 'spoiled',
    'cancelled', 'destroyed');
CREATE TYPE certificate_state AS ENUM ('ordered', 'approved', 'awaiting_key', 'issuing', 'issued', 'active', 'held',
    'revoked', 'expired', 'cancelled');
CREATE TYPE batch_state AS ENUM ('open', 'sealed', 'sent', 'partly_returned', 'reconciled');
CREATE TYPE bureau_result AS ENUM ('made', 'spoiled', 'missing');
CREATE TYPE delivery AS ENUM ('home', 'branch');

CREATE TABLE branch (
    id         text PRIMARY KEY,
    code       text NOT NULL UNIQUE,
    name       text NOT NULL,
    street     text NOT NULL,
    postcode   text NOT NULL,
    city       text NOT NULL,
    country    text NOT NULL,
    phone      text NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE staff (
    id         text PRIMARY KEY,
    login      text NOT NULL UNIQUE,
    name       text NOT NULL,
    roles      text[] NOT NULL,
    branch_id  text NOT NULL REFERENCES branch,
    language   text NOT NULL,
    active     boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL
);

CREATE TABLE tariff (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    product      text NOT NULL,
    reason       text NOT NULL,
    amount_cents bigint NOT NULL CHECK (amount_cents >= 0),
    currency     text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    valid_from   timestamptz NOT NULL,
    UNIQUE (product, reason, valid_from)
);

-- A company's subscription.
CREATE TABLE company (
    id              text PRIMARY KEY,
    client_id       text NOT NULL UNIQUE CHECK (client_id ~ '^[0-9]{8}$'),
    name            text NOT NULL,
    country         text NOT NULL,
    registry_number text NOT NULL,
    branch_id       text NOT NULL REFERENCES branch,
    created_at      timestamptz NOT NULL,
    UNIQUE (country, registry_number)
);

-- A named user of a company.
CREATE TABLE holder (
    id          text PRIMARY KEY,
    company_id  text NOT NULL REFERENCES company,
    user_number text NOT NULL CHECK (user_number ~ '^[0-9]{4}$'),
    given_name  text NOT NULL,
    surname     text NOT NULL,
    language    text NOT NULL CHECK (language IN ('fr', 'nl', 'de', 'en')),
    email       text NOT NULL,
    complement  text NOT NULL DEFAULT '',
    street      text NOT NULL,
    postcode    text NOT NULL,
    city        text NOT NULL,
    country     text NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    UNIQUE (company_id, user_number)
);

CREATE TABLE import (
    id         text PRIMARY KEY,
    sha256     bytea NOT NULL,
    taken_by   text NOT NULL,
    taken_at   timestamptz NOT NULL,
    lines      integer NOT NULL DEFAULT 0,
    kept       integer NOT NULL DEFAULT 0,
    refused    integer NOT NULL DEFAULT 0
);

CREATE TABLE orders (
    id           text PRIMARY KEY,
    kind         order_kind NOT NULL,
    state        order_state NOT NULL,
    holder_id    text NOT NULL REFERENCES holder,
    target_card  text, -- the card replaced, or the card whose counter is reset
    reason       text NOT NULL DEFAULT '',
    delivery     delivery,
    branch_id    text REFERENCES branch,
    fee_cents    bigint NOT NULL DEFAULT 0 CHECK (fee_cents >= 0),
    currency     text NOT NULL DEFAULT 'EUR',
    requested_by text NOT NULL,
    revision     integer NOT NULL DEFAULT 1, -- rises with each edit
    reference    text UNIQUE,                -- of the import line
    import_id    text REFERENCES import,
    failure      text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL
);
CREATE INDEX orders_by_state ON orders (state, id);
CREATE INDEX orders_by_holder ON orders (holder_id);

-- Four eyes: one decision a revision, by somebody else, on the content that was
-- shown (content_hash). A unique constraint and a row lock hold it, not the
-- isolation level.
CREATE TABLE approval (
    order_id     text NOT NULL REFERENCES orders,
    revision     integer NOT NULL,
    decision     text NOT NULL CHECK (decision IN ('approved', 'refused')),
    requested_by text NOT NULL,
    decided_by   text NOT NULL,
    content_hash bytea NOT NULL CHECK (length(content_hash) = 32),
    note         text NOT NULL DEFAULT '',
    decided_at   timestamptz NOT NULL,
    PRIMARY KEY (order_id, revision),
    CHECK (requested_by <> decided_by)
);

CREATE TABLE batch (
    id          text PRIMARY KEY,
    sequence    bigint NOT NULL GENERATED ALWAYS AS IDENTITY UNIQUE, -- the bureau refuses a number it has seen
    product     text NOT NULL,
    bureau      text NOT NULL,
    state       batch_state NOT NULL,
    attempt_id  text NOT NULL UNIQUE, -- the engine answers it the same way twice
    fence       integer NOT NULL DEFAULT 0,
    transport_kcv text NOT NULL DEFAULT '', -- check value of the key that enciphers keys and PINs
    created_at  timestamptz NOT NULL,
    sent_at     timestamptz
);

CREATE SEQUENCE pan_number;

CREATE TABLE card (
    id              text PRIMARY KEY,
    order_id        text NOT NULL UNIQUE REFERENCES orders,
    holder_id       text NOT NULL REFERENCES holder,
    state           card_state NOT NULL,
    product         text NOT NULL,
    profile         text NOT NULL,
    pan             text NOT NULL,
    psn             integer NOT NULL CHECK (psn BETWEEN 1 AND 99),
    expiry          date NOT NULL,
    pin_version     integer NOT NULL DEFAULT 1,
    delivery        delivery NOT NULL,
    branch_id       text REFERENCES branch,
    replaces        text REFERENCES card,
    batch_id        text REFERENCES batch, -- the batch it is in now
    plastic_serial  text,
    last_atc        integer NOT NULL DEFAULT 0 CHECK (last_atc BETWEEN 0 AND 65535),
    scripts         integer[] NOT NULL DEFAULT '{0}', -- issuer-script counters the card may show
    cap_failures    integer NOT NULL DEFAULT 0,
    usable_until    timestamptz, -- an old card after its replacement's first use
    end_reason      text NOT NULL DEFAULT '',
    receipt         text NOT NULL DEFAULT '', -- of an opposition
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    UNIQUE (pan, psn)
);
CREATE INDEX card_by_state ON card (state, id);
CREATE INDEX card_by_holder ON card (holder_id);
ALTER TABLE orders ADD FOREIGN KEY (target_card) REFERENCES card;

-- What a batch holds, and the bureau's answer for each card. A spoiled plastic
-- keeps its row as evidence when the card is made again in another batch.
CREATE TABLE batch_card (
    batch_id       text NOT NULL REFERENCES batch,
    card_id        text NOT NULL REFERENCES card,
    psn            integer NOT NULL,
    pin_version    integer NOT NULL,
    dgis           bytea, -- keys and PIN enciphered under the transport key; emptied when the file is sealed
    result         bureau_result,
    plastic_serial text UNIQUE,
    reason         text NOT NULL DEFAULT '',
    answered_at    timestamptz,
    PRIMARY KEY (batch_id, card_id)
);

CREATE TABLE return_file (
    id         text PRIMARY KEY,
    batch_id   text NOT NULL REFERENCES batch,
    sha256     bytea NOT NULL UNIQUE, -- each file is taken once
    content    bytea NOT NULL,
    taken_by   text NOT NULL,
    taken_at   timestamptz NOT NULL,
    applied_at timestamptz
);

CREATE TABLE card_letter (
    id         text PRIMARY KEY,
    card_id    text NOT NULL REFERENCES card,
    psn        integer NOT NULL,
    state      letter_state NOT NULL,
    fence      integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    posted_at  timestamptz,
    UNIQUE (card_id, psn)
);
CREATE INDEX card_letter_by_state ON card_letter (state, id);

CREATE TABLE pin_letter (
    id          text PRIMARY KEY,
    card_id     text NOT NULL REFERENCES card,
    pin_version integer NOT NULL,
    state       letter_state NOT NULL,
    fence       integer NOT NULL DEFAULT 0,
    post_after  timestamptz NOT NULL,
    created_at  timestamptz NOT NULL,
    posted_at   timestamptz,
    UNIQUE (card_id, pin_version) -- one letter a PIN
);
CREATE INDEX pin_letter_by_state ON pin_letter (state, id);

-- What leaves the house as bytes: a card letter (PDF), a PIN letter (CMS for the
-- print room, never anything else), a batch's bureau file (CMS for the bureau).
CREATE TABLE document (
    id         text PRIMARY KEY, -- of the letter or the batch
    media_type text NOT NULL,
    content    bytea NOT NULL,
    sha256     bytea NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE issuer (
    id          text PRIMARY KEY CHECK (id ~ '^[a-z0-9-]{1,32}$'),
    certificate bytea NOT NULL,
    mount       text NOT NULL, -- of the key in Vault
    key_name    text NOT NULL,
    shards      integer NOT NULL CHECK (shards BETWEEN 1 AND 1024),
    online      boolean NOT NULL,
    parent_id   text REFERENCES issuer,
    created_at  timestamptz NOT NULL
);

CREATE TABLE responder (
    issuer_id   text NOT NULL REFERENCES issuer,
    certificate bytea NOT NULL,
    key_name    text NOT NULL,
    not_after   timestamptz NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (issuer_id, not_after)
);

CREATE TABLE certificate (
    id              text PRIMARY KEY,
    order_id        text NOT NULL UNIQUE REFERENCES orders,
    holder_id       text NOT NULL REFERENCES holder,
    state           certificate_state NOT NULL,
    profile         text NOT NULL,
    csr             bytea,
    spki_sha256     bytea UNIQUE, -- one key, one certificate, one holder
    issuer_id       text REFERENCES issuer,
    shard           integer,
    serial          bytea UNIQUE CHECK (length(serial) = 16), -- reserved and committed before signing
    reserved_at     timestamptz, -- the time by which the draft is made, also when it is made again
    tbs             bytea, -- linted, to be signed
    der             bytea,
    not_before      timestamptz,
    not_after       timestamptz,
    fence           integer NOT NULL DEFAULT 0,
    rejection       text NOT NULL DEFAULT '',
    revoked_at      timestamptz, -- also while held
    reason          integer,
    invalidity_date timestamptz,
    status_version  integer NOT NULL DEFAULT 0, -- rises with each change of status
    crl_revision    bigint NOT NULL DEFAULT 0,  -- the shard's revision at the last change of status
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    CHECK (tbs IS NULL OR (serial IS NOT NULL AND shard IS NOT NULL AND issuer_id IS NOT NULL)),
    CHECK ((revoked_at IS NULL) = (reason IS NULL))
);
CREATE INDEX certificate_by_state ON certificate (state, id);
CREATE INDEX certificate_by_holder ON certificate (holder_id);
CREATE INDEX certificate_revoked ON certificate (issuer_id, shard, serial) WHERE revoked_at IS NOT NULL;

-- One row a shard. Its revision rises, under the row's lock, with each change of
-- status in the shard: what a list covers is told by revisions, never by clocks.
CREATE TABLE crl_shard (
    issuer_id text NOT NULL REFERENCES issuer,
    shard     integer NOT NULL,
    revision  bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (issuer_id, shard)
);

-- One row a publication, its number reserved before signing. A full list and
-- the delta published with it share the number (RFC 5280 §5.2.4).
CREATE TABLE crl (
    issuer_id    text NOT NULL REFERENCES issuer,
    shard        integer NOT NULL,
    number       bigint NOT NULL,
    base_number  bigint NOT NULL, -- of the full list that the delta completes
    revision     bigint NOT NULL, -- of the shard, covered by this list
    fence        integer NOT NULL DEFAULT 0,
    scheduled    boolean NOT NULL,
    this_update  timestamptz NOT NULL,
    next_update  timestamptz NOT NULL,
    entries      integer,
    full_der     bytea,
    delta_der    bytea,
    PRIMARY KEY (issuer_id, shard, number)
);

-- Answers signed ahead; valid for one status version.
CREATE TABLE ocsp_answer (
    serial         bytea PRIMARY KEY,
    status_version integer NOT NULL,
    der            bytea NOT NULL,
    this_update    timestamptz NOT NULL,
    next_update    timestamptz NOT NULL
);

CREATE TABLE api_key (
    id         text PRIMARY KEY,
    name       text NOT NULL,
    sha256     bytea NOT NULL UNIQUE,
    scopes     text[] NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);

-- Who did what to what, in the transaction that did it. Append only.
CREATE TABLE audit_entry (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL,
    actor      text NOT NULL,
    role       text NOT NULL,
    thing      text NOT NULL,
    thing_id   text NOT NULL,
    event      text NOT NULL,
    from_state text NOT NULL,
    to_state   text NOT NULL,
    detail     jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_entry_by_thing ON audit_entry (thing_id, id);

-- +goose StatementBegin
CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit entries are never changed or deleted';
END $$;
-- +goose StatementEnd
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
