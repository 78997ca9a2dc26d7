-- +goose Up

-- What a bank says in its letters, one version after the other. The content is
-- written once, in its canonical form with the logo in it; its hash is what was
-- previewed and approved. Version 0 is the built-in one, which is no row.
CREATE TYPE template_state AS ENUM ('proposed', 'live', 'retired', 'refused');
CREATE TABLE letter_template (
    kind        print_kind NOT NULL,
    version     integer NOT NULL CHECK (version > 0),
    state       template_state NOT NULL,
    content     bytea NOT NULL CHECK (octet_length(content) BETWEEN 1 AND 262144),
    sha256      bytea NOT NULL CHECK (sha256 = sha256(content)),
    proposed_by text NOT NULL,
    proposed_at timestamptz NOT NULL,
    decided_by  text,
    decided_at  timestamptz,
    reason      text NOT NULL DEFAULT '', -- of a refusal
    PRIMARY KEY (kind, version),
    CHECK (decided_by <> proposed_by),
    CHECK ((state = 'proposed') = (decided_by IS NULL) AND (decided_by IS NULL) = (decided_at IS NULL))
);
CREATE UNIQUE INDEX letter_template_live ON letter_template (kind) WHERE state = 'live';

-- Which template a run's letters were made with; NULL before it is begun.
ALTER TABLE print_run ADD COLUMN template integer CHECK (template >= 0);

-- Letters in large print, for a holder who asked for it, take some sheets each.
ALTER TABLE holder ADD COLUMN large_print boolean NOT NULL DEFAULT false;
ALTER TABLE print_sheet ADD COLUMN sheets integer NOT NULL DEFAULT 1 CHECK (sheets BETWEEN 1 AND 9);
