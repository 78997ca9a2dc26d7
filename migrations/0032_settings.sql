-- +goose Up

-- Which sensitive functions a user has, as a whole. Users of before have none.
CREATE TYPE entitlement_state AS ENUM ('proposed', 'live', 'replaced', 'refused');
CREATE TABLE entitlement (
    id                text PRIMARY KEY,
    holder_id         text NOT NULL REFERENCES holder,
    state             entitlement_state NOT NULL,
    grants            jsonb NOT NULL,
    requested_by      text NOT NULL,
    authentication_id text UNIQUE REFERENCES authentication, -- the principal user's, over exactly this
    decided_by        text NOT NULL DEFAULT '',
    why               text NOT NULL DEFAULT '',
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    CHECK (state NOT IN ('live', 'replaced') OR authentication_id IS NOT NULL OR decided_by <> '' AND decided_by <> requested_by)
);
CREATE UNIQUE INDEX entitlement_live ON entitlement (holder_id) WHERE state = 'live';
CREATE UNIQUE INDEX entitlement_proposed ON entitlement (holder_id) WHERE state = 'proposed';
CREATE INDEX entitlement_by_holder ON entitlement (holder_id, id);

-- A change of a security setting, of a company, one of its users or one of its
-- accounts; its versions count. Which is in force its times say: the newest accepted
-- one that has begun and not ended.
CREATE TYPE setting_state AS ENUM ('proposed', 'accepted', 'stopped', 'refused');
CREATE TABLE setting_change (
    id                text PRIMARY KEY,
    setting           text NOT NULL,
    company_id        text NOT NULL REFERENCES company,
    holder_id         text REFERENCES holder, -- null: not of one user
    account           text NOT NULL DEFAULT '',
    version           integer NOT NULL,
    state             setting_state NOT NULL,
    old_value         text NOT NULL,
    new_value         text NOT NULL,
    loosens           boolean NOT NULL,
    effective_from    timestamptz, -- null while it is proposed
    effective_until   timestamptz, -- then the one before holds again
    asked_by          text REFERENCES holder, -- null: staff
    made_by           text NOT NULL,
    authentication_id text REFERENCES authentication, -- a sign-in, or a signature over exactly this
    holder_present    boolean NOT NULL DEFAULT false,
    decided_by        text NOT NULL DEFAULT '',
    note              text NOT NULL DEFAULT '',
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    CHECK (holder_id IS NULL OR account = ''),
    CHECK (state <> 'accepted' OR effective_from IS NOT NULL),
    CHECK (effective_until IS NULL OR loosens),
    -- A loosening has proof, and does not come at once.
    CHECK (NOT loosens OR state <> 'accepted' OR (authentication_id IS NOT NULL OR holder_present AND decided_by NOT IN ('', made_by))),
    CHECK (NOT loosens OR effective_from IS NULL OR effective_from > created_at)
);
CREATE UNIQUE INDEX setting_change_version ON setting_change (company_id, setting, coalesce(holder_id, ''), account, version);

ALTER TABLE notice DROP CONSTRAINT notice_kind_check;
ALTER TABLE notice ADD CONSTRAINT notice_kind_check
    CHECK (kind IN ('issued', 'held', 'released', 'revoked', 'expiring', 'renewal', 'corrected', 'setting'));
ALTER TABLE notice DROP CONSTRAINT notice_of_certificate;
ALTER TABLE notice ADD CONSTRAINT notice_of_certificate CHECK ((kind IN ('corrected', 'setting')) = (certificate_id IS NULL));
ALTER TABLE notice ADD COLUMN setting_id text REFERENCES setting_change;
ALTER TABLE notice ADD CONSTRAINT notice_of_setting CHECK ((kind = 'setting') = (setting_id IS NOT NULL));

-- What was decided of a relying service's operation: once. What only needs a
-- signature is not decided yet. Like the audit trail it names what it is about and
-- refers to nothing: thousands are written a second.
CREATE TABLE decision (
    service      text NOT NULL,
    operation    text NOT NULL, -- the caller's reference
    facts_sha256 bytea NOT NULL,
    company_id   text, -- null: nobody's
    holder_id    text,
    kind         text NOT NULL,
    result       text NOT NULL CHECK (result IN ('allow', 'refuse')),
    rule         text NOT NULL,
    setting      text NOT NULL DEFAULT '',
    level        text NOT NULL DEFAULT '',
    version      integer NOT NULL DEFAULT 0,
    signatures   integer NOT NULL DEFAULT 0,
    decided_at   timestamptz NOT NULL,
    PRIMARY KEY (service, operation)
);

-- What went out of a company, by a user, from an account; how often a mandate was
-- used. Whoever counts holds the row.
CREATE TABLE decision_counter (
    place  text PRIMARY KEY,
    totals jsonb NOT NULL DEFAULT '{}',
    uses   integer NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
