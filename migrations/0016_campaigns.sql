-- +goose Up

-- What goes to a bureau in one batch is equally urgent.
ALTER TABLE orders ADD COLUMN urgency text NOT NULL DEFAULT 'standard' CHECK (urgency IN ('urgent', 'standard', 'campaign'));
ALTER TABLE batch  ADD COLUMN urgency text NOT NULL DEFAULT 'standard' CHECK (urgency IN ('urgent', 'standard', 'campaign'));

CREATE TYPE campaign_state AS ENUM ('proposed', 'approved', 'piloting', 'piloted', 'running', 'paused', 'completed', 'refused', 'cancelled');

-- Many cards renewed under one decision. Four eyes as for an order: somebody else
-- approves the content that was shown, the cards among it by their digest.
CREATE TABLE campaign (
    id           text PRIMARY KEY,
    state        campaign_state NOT NULL,
    why          text NOT NULL,
    criteria     text NOT NULL,  -- how its cards were picked, as JSON
    cards        integer NOT NULL CHECK (cards > 0),
    digest       bytea NOT NULL CHECK (length(digest) = 32), -- of their identifiers, in order
    pilot        integer NOT NULL CHECK (pilot > 0),
    hourly       integer NOT NULL DEFAULT 0 CHECK (hourly >= 0), -- cards an hour at most; 0: as fast as can be
    waiver       text NOT NULL DEFAULT '',                       -- why nothing is charged
    second_cards boolean NOT NULL DEFAULT false, -- also for holders who had a card ordered lately
    requested_by text NOT NULL,
    requester_as text NOT NULL,  -- the role
    approved_by  text NOT NULL DEFAULT '',
    content_hash bytea CHECK (length(content_hash) = 32), -- of what was approved
    next_at      timestamptz,    -- when the next cards are due
    reached      text NOT NULL DEFAULT '', -- the card that was ordered last
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    CHECK (requested_by <> approved_by),
    CHECK ((approved_by = '') = (content_hash IS NULL))
);

-- A card is in a campaign once, and is renewed by it once.
CREATE TABLE campaign_card (
    campaign_id text NOT NULL REFERENCES campaign,
    card_id     text NOT NULL REFERENCES card,
    state       text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'ordered', 'failed')),
    order_id    text UNIQUE REFERENCES orders,
    failure     text NOT NULL DEFAULT '',
    PRIMARY KEY (campaign_id, card_id),
    CHECK ((state = 'ordered') = (order_id IS NOT NULL)),
    CHECK ((state = 'failed') = (failure <> ''))
);
CREATE INDEX campaign_card_to_do ON campaign_card (campaign_id, card_id) WHERE state = 'waiting';
CREATE INDEX campaign_card_failed ON campaign_card (campaign_id, card_id) WHERE state = 'failed';

-- What is kept there is encrypted: it never becomes smaller.
ALTER TABLE document ALTER COLUMN content SET STORAGE EXTERNAL;
