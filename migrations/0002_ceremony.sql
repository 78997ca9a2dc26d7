-- +goose Up

-- Each act of a key ceremony is one audit entry, made once: a ceremony that was
-- interrupted goes on behind the last one, and two people who hold the same at
-- the same time do not both do an act.
CREATE UNIQUE INDEX ceremony_act_once ON audit_entry (thing_id, event) WHERE thing = 'ceremony';

-- The versions of the issuer master keys that a card's keys were derived from. A
-- card without a row was made before there was a second version. A version is
-- retired once no card of it can be used.
CREATE TABLE card_keys (
    card_id text PRIMARY KEY REFERENCES card,
    ac      integer NOT NULL CHECK (ac >= 1),
    smi     integer NOT NULL CHECK (smi >= 1),
    smc     integer NOT NULL CHECK (smc >= 1)
);
