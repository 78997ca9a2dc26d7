-- +goose Up

-- Who relies on the house: online banking, a payment hub, a branch's terminals. Its
-- keys and certificates change, it stays.
CREATE TABLE relying_service (
    id         text PRIMARY KEY,
    name       text NOT NULL,
    created_at timestamptz NOT NULL,
    ended_at   timestamptz
);

-- Until now a key was who called: each gets a service of its own, and what was the
-- key's is the service's.
INSERT INTO relying_service (id, name, created_at) SELECT 'SV' || substr(id, 2), name, created_at FROM api_key;
ALTER TABLE api_key ADD COLUMN service_id text REFERENCES relying_service, ADD COLUMN last_used_at timestamptz;
UPDATE api_key SET service_id = 'SV' || substr(id, 2);
ALTER TABLE api_key ALTER COLUMN service_id SET NOT NULL;
CREATE INDEX api_key_by_service ON api_key (service_id);
UPDATE authentication SET service = 'SV' || substr(service, 2) WHERE service LIKE 'K-%';
UPDATE fraud_report SET made_by = 'SV' || substr(made_by, 2) WHERE made_by LIKE 'K-%';
UPDATE emergency_stop SET made_by = 'SV' || substr(made_by, 2) WHERE made_by LIKE 'K-%';

-- A certificate by which a service calls in place of a key. The certificate's own
-- state decides with it.
CREATE TABLE service_certificate (
    sha256         bytea PRIMARY KEY CHECK (length(sha256) = 32),
    service_id     text NOT NULL REFERENCES relying_service,
    certificate_id text NOT NULL UNIQUE REFERENCES certificate,
    scopes         text[] NOT NULL,
    bound_at       timestamptz NOT NULL
);
CREATE INDEX service_certificate_by_service ON service_certificate (service_id);

-- A request that its caller named (Idempotency-Key), for a day: what was sent, as a
-- mark under the safe's key, and what was answered, without what is shown once.
CREATE TABLE request_once (
    service  text NOT NULL,
    key      text NOT NULL,
    mark     bytea NOT NULL,
    begun_at timestamptz NOT NULL,
    acted    boolean NOT NULL,            -- it has changed something, or may have
    made     text NOT NULL DEFAULT '',    -- the thing that it made, in the same transaction
    status   integer NOT NULL DEFAULT 0,  -- 0: no answer yet
    type     text NOT NULL DEFAULT '',
    answer   bytea,
    PRIMARY KEY (service, key)
);
CREATE INDEX request_once_by_age ON request_once (begun_at);
