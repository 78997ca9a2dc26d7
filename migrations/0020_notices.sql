-- +goose Up

CREATE TYPE notice_state AS ENUM ('requested', 'sent', 'failed', 'cancelled');

-- What a holder is told of a certificate, by e-mail: each occasion once.
CREATE TABLE notice (
    id             text PRIMARY KEY,
    certificate_id text NOT NULL REFERENCES certificate,
    holder_id      text NOT NULL REFERENCES holder,
    kind           text NOT NULL CHECK (kind IN ('issued', 'held', 'released', 'revoked', 'expiring')),
    occasion       integer NOT NULL,  -- status version of the certificate before the change; days before its end
    state          notice_state NOT NULL,
    language       text NOT NULL CHECK (language IN ('fr', 'nl', 'de', 'en')),
    due_at         timestamptz NOT NULL, -- when it happened
    attempts       integer NOT NULL DEFAULT 0,
    address        text NOT NULL DEFAULT '', -- to which it was sent, or was last tried
    message_id     text NOT NULL DEFAULT '',
    sent_at        timestamptz,
    failure        text NOT NULL DEFAULT '',
    updated_at     timestamptz NOT NULL,
    UNIQUE (certificate_id, kind, occasion),
    CHECK ((state = 'sent') = (sent_at IS NOT NULL)),
    CHECK ((state = 'failed') = (failure <> ''))
);
CREATE INDEX notice_by_state ON notice (state, id);

-- When the end of a certificate is to be told next: whoever looks reads what is due
-- and nothing else.
CREATE TABLE reminder (
    certificate_id text PRIMARY KEY REFERENCES certificate,
    next_at        timestamptz NOT NULL
);
CREATE INDEX reminder_due ON reminder (next_at);

INSERT INTO reminder (certificate_id, next_at)
SELECT id, not_after - interval '2160 hours' FROM certificate WHERE state IN ('issued', 'active', 'held') AND not_after IS NOT NULL;
