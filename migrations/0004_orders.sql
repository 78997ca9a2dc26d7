-- +goose Up

ALTER TYPE order_kind ADD VALUE 'renewal';
ALTER TYPE order_kind ADD VALUE 'pin_reissue';
ALTER TYPE order_kind ADD VALUE 'card_registration';

-- What the bank sells or takes in, from a day on. What the engine does with a
-- card stands in its profile there, cap_profile by name.
CREATE TABLE product (
    code            text NOT NULL CHECK (code ~ '^[a-z0-9_-]{1,32}$'),
    valid_from      timestamptz NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('authentication_card', 'bank_card')),
    name            text NOT NULL,
    tariff          text NOT NULL, -- whose rows of the tariff it is charged by
    cap_profile     text NOT NULL,
    ipb             text NOT NULL CHECK (ipb ~ '^([0-9A-F]{2}){8,64}$'), -- issuer proprietary bitmap
    pin_length      integer NOT NULL CHECK (pin_length BETWEEN 4 AND 12),
    pin_tries       integer NOT NULL CHECK (pin_tries BETWEEN 1 AND 15),
    validity_months integer NOT NULL CHECK (validity_months BETWEEN 1 AND 120),
    bureau          text NOT NULL,
    in_house        boolean NOT NULL, -- may be personalised at a branch terminal
    plastic         text NOT NULL,    -- stock item; so is reader
    reader          text NOT NULL,
    deliveries      text[] NOT NULL CHECK (deliveries <@ '{home,branch}'),
    pin_delay_days  integer NOT NULL CHECK (pin_delay_days BETWEEN 0 AND 30),   -- business days behind the card's post
    old_card_days   integer NOT NULL CHECK (old_card_days BETWEEN 0 AND 90),    -- an old card's life after the new one's first use
    PRIMARY KEY (code, valid_from),
    -- What the bank's card system makes is neither made nor sent here.
    CHECK (kind <> 'bank_card' OR bureau = '' AND plastic = '' AND NOT in_house AND deliveries = '{}')
);

ALTER TABLE orders
    ADD COLUMN product          text NOT NULL DEFAULT '',  -- of card orders
    ADD COLUMN with_reader      boolean NOT NULL DEFAULT false,
    ADD COLUMN reader_fee_cents bigint NOT NULL DEFAULT 0 CHECK (reader_fee_cents >= 0),
    ADD COLUMN waiver           text NOT NULL DEFAULT '',  -- why nothing is charged
    ADD COLUMN completed_at     timestamptz;               -- from then on its fee is due
CREATE INDEX orders_completed ON orders (completed_at) WHERE completed_at IS NOT NULL;

ALTER TABLE holder ADD COLUMN address_changed_at timestamptz;

-- A card and those that replace it, one after the other, share a place, named by
-- the first of them. In one place there is one card in use, but for an old one
-- whose days are counted, and one on its way.
ALTER TABLE card
    ADD COLUMN suspended_by text NOT NULL DEFAULT '', -- role of who suspended it; '' when nobody did
    ADD COLUMN place        text NOT NULL REFERENCES card;
CREATE UNIQUE INDEX card_in_use ON card (place)
    WHERE usable_until IS NULL AND state IN ('active', 'suspended', 'pin_blocked');
CREATE UNIQUE INDEX card_on_its_way ON card (place)
    WHERE state IN ('ordered', 'approved', 'personalising', 'personalised', 'with_bureau', 'made', 'posted', 'at_branch', 'received');
