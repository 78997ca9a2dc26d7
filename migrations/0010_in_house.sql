-- +goose Up

-- A card that is made at a branch terminal waits there, then its chip is written.
ALTER TYPE card_state ADD VALUE 'in_house' AFTER 'approved';
ALTER TYPE card_state ADD VALUE 'writing' AFTER 'with_bureau';

ALTER TABLE orders ADD COLUMN in_house boolean NOT NULL DEFAULT false; -- its card is made at the branch
ALTER TABLE orders ADD CONSTRAINT in_house_at_branch CHECK (NOT in_house OR delivery = 'branch');

-- What is not in use and has not ended is on its way, the new states too.
DROP INDEX card_on_its_way;
CREATE UNIQUE INDEX card_on_its_way ON card (place)
    WHERE state NOT IN ('active', 'suspended', 'pin_blocked', 'opposed', 'expired', 'cancelled', 'destroyed');

-- The blank chips that cards were made in: one for each PIN version of a card,
-- since the engine gives a card's data to one chip. A chip that was given data
-- stays here for ever, made or spoiled.
CREATE TABLE chip (
    attempt_id  text PRIMARY KEY,      -- the engine answers it the same way twice
    order_id    text NOT NULL REFERENCES orders,
    card_id     text NOT NULL REFERENCES card,
    psn         integer NOT NULL,
    pin_version integer NOT NULL,
    serial      text UNIQUE CHECK (serial ~ '^[0-9A-F]{20}$'), -- NULL until it was given data
    result      text CHECK (result IN ('made', 'spoiled')),    -- NULL while nobody knows
    reason      text NOT NULL DEFAULT '',
    terminal    text NOT NULL,         -- the API key that asked last
    begun_at    timestamptz NOT NULL,
    ended_at    timestamptz,
    UNIQUE (card_id, pin_version),
    CHECK (result IS DISTINCT FROM 'made' OR serial IS NOT NULL),
    CHECK ((result IS NULL) = (ended_at IS NULL))
);
CREATE INDEX chip_order ON chip (order_id);
