-- +goose Up

ALTER TYPE order_kind ADD VALUE 'pin_change';

-- Which document proved the holder's identity at the desk, and the last four
-- characters of its number: enough to find it again, not enough to copy it.
CREATE TABLE identity_proof (
    order_id text PRIMARY KEY REFERENCES orders,
    document text NOT NULL CHECK (document ~ '^[a-z_]+ [0-9A-Z]{4}$')
);

-- The PIN that an order for another one draws: fixed with its first script, so
-- that a card that lost the answer is given the same again.
CREATE TABLE pin_change (
    order_id    text PRIMARY KEY REFERENCES orders,
    card_id     text NOT NULL REFERENCES card,
    pin_version integer NOT NULL CHECK (pin_version > 1),
    attempt_id  text NOT NULL UNIQUE, -- the engine answers it the same way twice
    UNIQUE (card_id, pin_version)
);
