-- +goose Up

-- A letter that cannot be set waits for staff, with the reason.
ALTER TYPE letter_state ADD VALUE 'failed' AFTER 'requested';
ALTER TABLE card_letter ADD COLUMN failure text NOT NULL DEFAULT '';
ALTER TABLE pin_letter ADD COLUMN failure text NOT NULL DEFAULT '';

CREATE TYPE print_run_state AS ENUM ('open', 'requested', 'rendered', 'printing', 'interrupted', 'printed', 'cancelled');
CREATE TYPE print_kind AS ENUM ('card', 'pin');

-- The letters of one kind and language that are printed together. Its file is a
-- row of document for each section: one of a run of card letters, one for each
-- few PIN letters.
CREATE TABLE print_run (
    id          text PRIMARY KEY,
    kind        print_kind NOT NULL,
    language    text NOT NULL CHECK (language IN ('fr', 'nl', 'de', 'en')),
    state       print_run_state NOT NULL,
    fence       integer NOT NULL DEFAULT 0,
    operator    text NOT NULL DEFAULT '',
    printer     text NOT NULL DEFAULT '',
    counter     bigint NOT NULL DEFAULT 0 CHECK (counter >= 0), -- the printer's, when it began or went on
    used        integer NOT NULL DEFAULT 0, -- sheets that left the paper tray
    waste       integer NOT NULL DEFAULT 0, -- of them: blank, test, jammed
    created_at  timestamptz NOT NULL,
    rendered_at timestamptz,
    printed_at  timestamptz,
    UNIQUE (id, kind)
);
CREATE INDEX print_run_by_state ON print_run (state, id);

-- Card letters and PIN letters are never in one run.
CREATE TABLE print_sheet (
    run_id    text NOT NULL,
    kind      print_kind NOT NULL,
    position  integer NOT NULL CHECK (position > 0),
    section   integer NOT NULL CHECK (section > 0),
    page      integer NOT NULL DEFAULT 0, -- of the section's file; 0 before it is stored
    letter_id text NOT NULL,
    result    text NOT NULL DEFAULT '' CHECK (result IN ('', 'printed', 'spoiled', 'withdrawn')),
    PRIMARY KEY (run_id, position),
    FOREIGN KEY (run_id, kind) REFERENCES print_run (id, kind),
    CHECK (letter_id LIKE CASE kind WHEN 'card' THEN 'L-%' ELSE 'P-%' END)
);
-- A letter waits in one run at a time; a PIN letter is on one sheet, for ever.
CREATE UNIQUE INDEX print_sheet_waits_once ON print_sheet (letter_id) WHERE result = '';
CREATE UNIQUE INDEX print_sheet_pin_once ON print_sheet (letter_id) WHERE kind = 'pin';
CREATE INDEX print_sheet_by_letter ON print_sheet (letter_id);

-- Why the post brought a letter back.
ALTER TABLE card_letter ADD COLUMN returned text NOT NULL DEFAULT '';
ALTER TABLE pin_letter ADD COLUMN returned text NOT NULL DEFAULT '';

-- What a member of staff has to look at, and what came of it.
CREATE TYPE work_state AS ENUM ('open', 'done');
CREATE TABLE work_item (
    id        text PRIMARY KEY,
    state     work_state NOT NULL,
    thing     text NOT NULL, -- "card letter"
    thing_id  text NOT NULL,
    card_id   text REFERENCES card,
    why       text NOT NULL,
    opened_at timestamptz NOT NULL,
    done_at   timestamptz,
    outcome   text NOT NULL DEFAULT ''
);
CREATE INDEX work_item_by_state ON work_item (state, id);
