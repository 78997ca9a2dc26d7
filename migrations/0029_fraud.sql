-- +goose Up

-- An emergency stop: none of a user's means is accepted while it is there, whatever
-- state each has. It is the receipt too (PSD2 article 70).
CREATE TYPE stop_state AS ENUM ('active', 'lifting', 'lifted');
CREATE TABLE emergency_stop (
    id           text PRIMARY KEY,
    company_id   text NOT NULL REFERENCES company,
    holder_id    text REFERENCES holder, -- null: every user of the company
    state        stop_state NOT NULL,
    reason       text NOT NULL CHECK (reason IN ('lost', 'stolen', 'fraud', 'phished', 'other')),
    note         text NOT NULL DEFAULT '',
    made_by      text NOT NULL,
    made_at      timestamptz NOT NULL,
    lift_by      text NOT NULL DEFAULT '', -- who asked to lift it
    lift_why     text NOT NULL DEFAULT '',
    updated_at   timestamptz NOT NULL,
    CHECK (state <> 'lifting' OR lift_by <> '')
);
CREATE UNIQUE INDEX emergency_stop_one ON emergency_stop (company_id, coalesce(holder_id, '')) WHERE state <> 'lifted';
CREATE INDEX emergency_stop_by_company ON emergency_stop (company_id, id);

-- The certificates that a stop put on hold, which its end releases.
CREATE TABLE emergency_stop_hold (
    stop_id        text NOT NULL REFERENCES emergency_stop,
    certificate_id text NOT NULL REFERENCES certificate,
    PRIMARY KEY (stop_id, certificate_id)
);

-- A suspicious message, call, site or operation, as somebody told it.
CREATE TYPE fraud_state AS ENUM ('received', 'in_review', 'confirmed', 'unfounded');
CREATE TABLE fraud_report (
    id          text PRIMARY KEY,
    kind        text NOT NULL CHECK (kind IN ('message', 'call', 'site', 'operation')),
    state       fraud_state NOT NULL,
    client_id   text NOT NULL DEFAULT '', -- as the reporter says
    user_number text NOT NULL DEFAULT '',
    holder_id   text REFERENCES holder,   -- null: nobody whom the bank knows
    operation   text NOT NULL DEFAULT '', -- the reporter's reference of it
    happened_at timestamptz,
    told        text NOT NULL,            -- card numbers and codes are masked
    contact     text NOT NULL DEFAULT '',
    language    text NOT NULL CHECK (language IN ('fr', 'nl', 'de', 'en')),
    made_by     text NOT NULL,
    received_at timestamptz NOT NULL,
    handled_by  text NOT NULL DEFAULT '',
    outcome     text NOT NULL DEFAULT '',
    updated_at  timestamptz NOT NULL,
    CHECK ((state IN ('confirmed', 'unfounded')) = (outcome <> ''))
);
CREATE INDEX fraud_report_waits ON fraud_report (received_at) WHERE state IN ('received', 'in_review');
CREATE INDEX fraud_report_by_holder ON fraud_report (holder_id, id);
