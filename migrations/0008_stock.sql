-- +goose Up

-- What cards and letters are made of, and readers: where they are, piece by piece
-- where pieces have a serial number.
CREATE TYPE stock_condition AS ENUM ('good', 'rejected', 'in_transit', 'used', 'missing', 'destroyed');
CREATE TYPE consignment_state AS ENUM ('sent', 'differing', 'received', 'settled', 'cancelled');
CREATE TYPE count_state AS ENUM ('counted_once', 'agreed', 'differing', 'adjusted', 'discarded', 'cancelled');
CREATE TYPE destruction_state AS ENUM ('proposed', 'destroyed', 'cancelled');
CREATE TYPE shortfall_state AS ENUM ('open', 'booked', 'settled');

-- A branch is a place of stock by its code; the others are the bank's file's.
CREATE TABLE stock_place (
    code text PRIMARY KEY CHECK (code ~ '^[A-Za-z0-9_-]{1,32}$'),
    kind text NOT NULL CHECK (kind IN ('branch', 'bureau', 'print_room', 'vault')),
    name text NOT NULL
);

CREATE TABLE stock_item (
    number        integer NOT NULL GENERATED ALWAYS AS IDENTITY UNIQUE,
    code          text PRIMARY KEY CHECK (code ~ '^[a-z0-9_-]{1,32}$'),
    kind          text NOT NULL CHECK (kind IN ('plastic', 'paper', 'reader')),
    name          text NOT NULL,
    serial_prefix text NOT NULL CHECK (serial_prefix ~ '^[A-Z0-9-]{0,16}$'),
    serial_digits integer NOT NULL CHECK (serial_digits BETWEEN 0 AND 15), -- 0: pieces have no serial number
    CHECK (serial_digits > 0 OR serial_prefix = '')
);

-- Below it an alarm is shown.
CREATE TABLE stock_minimum (
    item     text NOT NULL REFERENCES stock_item,
    place    text NOT NULL REFERENCES stock_place,
    quantity bigint NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (item, place)
);

-- The ledger: append only. What comes from outside has no place before.
CREATE TABLE stock_movement (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at             timestamptz NOT NULL,
    actor          text NOT NULL,
    role           text NOT NULL,
    event          text NOT NULL,
    item           text NOT NULL REFERENCES stock_item,
    quantity       bigint NOT NULL CHECK (quantity BETWEEN 1 AND 10000000),
    first_serial   bigint,
    last_serial    bigint,
    from_place     text REFERENCES stock_place,
    from_condition stock_condition,
    to_place       text NOT NULL REFERENCES stock_place,
    to_condition   stock_condition NOT NULL,
    reference      text NOT NULL, -- delivery note, consignment, count, destruction, return file, card
    reason         text NOT NULL DEFAULT '',
    CHECK ((first_serial IS NULL) = (last_serial IS NULL) AND (from_place IS NULL) = (from_condition IS NULL)),
    CHECK (first_serial IS NULL OR first_serial >= 0 AND last_serial - first_serial + 1 = quantity),
    CHECK (from_place IS NULL OR (from_place, from_condition) <> (to_place, to_condition))
);
CREATE INDEX stock_movement_by_item ON stock_movement (item, id);
CREATE INDEX stock_movement_by_reference ON stock_movement (reference, id);

-- +goose StatementBegin
CREATE FUNCTION stock_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'movements of stock are never changed or deleted';
END $$;
-- +goose StatementEnd
CREATE TRIGGER stock_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON stock_movement
    FOR EACH STATEMENT EXECUTE FUNCTION stock_is_append_only();

-- The ledger's sums. Whoever changes them has locked the item.
CREATE TABLE stock_balance (
    item      text NOT NULL REFERENCES stock_item,
    place     text NOT NULL REFERENCES stock_place,
    condition stock_condition NOT NULL,
    quantity  bigint NOT NULL CHECK (quantity >= 0),
    PRIMARY KEY (item, place, condition)
);

-- Where each serial number is: in one place, whatever became of it.
CREATE TABLE stock_range (
    item_number  integer NOT NULL REFERENCES stock_item (number),
    place        text NOT NULL REFERENCES stock_place,
    condition    stock_condition NOT NULL,
    first_serial bigint NOT NULL CHECK (first_serial >= 0),
    last_serial  bigint NOT NULL,
    CHECK (last_serial >= first_serial),
    EXCLUDE USING gist (int4range(item_number, item_number, '[]') WITH &&, int8range(first_serial, last_serial, '[]') WITH &&)
);
CREATE INDEX stock_range_by_place ON stock_range (item_number, place, condition, first_serial);

-- Sums of goods are {"quantity": n, "serials": [{"first": n, "last": n}]}.
CREATE TABLE stock_consignment (
    id          text PRIMARY KEY,
    state       consignment_state NOT NULL,
    item        text NOT NULL REFERENCES stock_item,
    from_place  text NOT NULL REFERENCES stock_place,
    to_place    text NOT NULL REFERENCES stock_place,
    sent        jsonb NOT NULL,
    outstanding jsonb NOT NULL, -- sent, not arrived
    sent_by     text NOT NULL,
    sent_at     timestamptz NOT NULL,
    received_by text NOT NULL DEFAULT '',
    settled_by  text NOT NULL DEFAULT '',
    reason      text NOT NULL DEFAULT '',
    CHECK (from_place <> to_place),
    CHECK (received_by <> sent_by),
    CHECK (settled_by = '' OR settled_by NOT IN (sent_by, received_by))
);
CREATE INDEX stock_consignment_open ON stock_consignment (id) WHERE state IN ('sent', 'differing');

CREATE TABLE stock_count (
    id           text PRIMARY KEY,
    state        count_state NOT NULL,
    item         text NOT NULL REFERENCES stock_item,
    place        text NOT NULL REFERENCES stock_place,
    first_by     text NOT NULL,
    first_at     timestamptz NOT NULL,
    first_found  jsonb NOT NULL, -- what was found, missing and surplus beside the books of that moment
    second_by    text NOT NULL DEFAULT '',
    second_found jsonb NOT NULL DEFAULT '{}',
    decided_by   text NOT NULL DEFAULT '',
    reason       text NOT NULL DEFAULT '',
    CHECK (second_by <> first_by),
    CHECK (decided_by = '' OR decided_by NOT IN (first_by, second_by))
);
-- One count at a time of an item at a place.
CREATE UNIQUE INDEX stock_count_open ON stock_count (item, place) WHERE state IN ('counted_once', 'differing');

CREATE TABLE stock_destruction (
    id           text PRIMARY KEY,
    state        destruction_state NOT NULL,
    item         text NOT NULL REFERENCES stock_item,
    place        text NOT NULL REFERENCES stock_place,
    goods        jsonb NOT NULL,
    reason       text NOT NULL,
    method       text NOT NULL,
    proposed_by  text NOT NULL,
    proposed_at  timestamptz NOT NULL,
    destroyed_by text NOT NULL DEFAULT '', -- the second person, who saw it
    destroyed_at timestamptz,
    CHECK (destroyed_by <> proposed_by),
    CHECK ((destroyed_at IS NULL) = (destroyed_by = ''))
);

-- Used although the books did not have it there.
CREATE TABLE stock_shortfall (
    id         text PRIMARY KEY,
    state      shortfall_state NOT NULL,
    item       text NOT NULL REFERENCES stock_item,
    place      text NOT NULL, -- as the main job names it
    condition  stock_condition NOT NULL, -- that it has now
    goods      jsonb NOT NULL,
    reference  text NOT NULL,
    why        text NOT NULL,
    at         timestamptz NOT NULL,
    settled_by text NOT NULL DEFAULT '',
    reason     text NOT NULL DEFAULT ''
);
CREATE INDEX stock_shortfall_open ON stock_shortfall (item, place, id) WHERE state = 'open';
