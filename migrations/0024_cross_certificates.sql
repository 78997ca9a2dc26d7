-- +goose Up

-- Of each root and the next: what one signed of the other's key. It has a status as
-- a house certificate of the root that signed it; here is what it says, to be published.
CREATE TABLE cross_certificate (
    issuer_id   text NOT NULL REFERENCES issuer, -- the root that signed it
    subject_id  text NOT NULL REFERENCES issuer, -- the root whose name and key stand in it
    serial      bytea NOT NULL UNIQUE CHECK (length(serial) = 16),
    certificate bytea NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (issuer_id, subject_id),
    CHECK (issuer_id <> subject_id)
);
