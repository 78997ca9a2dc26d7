-- +goose Up

-- How often a service may call, all its keys and all doors together.
ALTER TABLE relying_service ADD COLUMN calls_a_minute integer NOT NULL DEFAULT 60000 CHECK (calls_a_minute > 0);

-- What was taken of a limit in this minute; doors take some at a time. Nothing is lost
-- with it: after a crash the minute begins again.
CREATE UNLOGGED TABLE call_count (
    subject text PRIMARY KEY, -- a service, all of them, or a service that is slowed
    minute  timestamptz NOT NULL,
    taken   bigint NOT NULL
);

-- Proofs that a service had judged since a moment, and how many were refused; the row
-- of no user is the service's.
CREATE UNLOGGED TABLE proof_count (
    service text NOT NULL,
    subject text NOT NULL,
    began   timestamptz NOT NULL,
    proofs  bigint NOT NULL,
    refused bigint NOT NULL,
    PRIMARY KEY (service, subject)
);
CREATE INDEX proof_count_by_age ON proof_count (began);

-- Whose users a service may be told of: who has proven themselves to it once.
CREATE TABLE service_user (
    service_id text NOT NULL REFERENCES relying_service,
    holder_id  text NOT NULL REFERENCES holder,
    PRIMARY KEY (holder_id, service_id)
);
INSERT INTO service_user (service_id, holder_id)
SELECT DISTINCT a.service, a.holder_id FROM authentication a JOIN relying_service s ON s.id = a.service WHERE a.state = 'accepted';

-- What a service is told: thin, one row a service. A row is read when every transaction
-- that began before its own has ended, so that a cursor passes over nothing that
-- commits late.
CREATE TABLE event (
    service text NOT NULL,
    tx      bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    id      bigint GENERATED ALWAYS AS IDENTITY,
    type    text NOT NULL,
    subject text NOT NULL,
    at      timestamptz NOT NULL,
    PRIMARY KEY (service, tx, id)
);
CREATE INDEX event_by_age ON event (at);

-- Every move leaves its entry in the trail, whoever makes it: the event is made of that,
-- in its transaction. Who may write the trail need not see who is told.
-- +goose StatementBegin
CREATE FUNCTION tell_services() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    CASE NEW.thing
    WHEN 'card' THEN
        INSERT INTO event (service, type, subject, at) SELECT u.service_id, 'card.' || NEW.to_state, c.id, NEW.at
        FROM card c JOIN service_user u ON u.holder_id = c.holder_id WHERE c.id = NEW.thing_id;
    WHEN 'certificate' THEN
        INSERT INTO event (service, type, subject, at) SELECT u.service_id, 'certificate.' || NEW.to_state, c.id, NEW.at
        FROM certificate c JOIN service_user u ON u.holder_id = c.holder_id WHERE c.id = NEW.thing_id;
    WHEN 'means' THEN
        INSERT INTO event (service, type, subject, at) SELECT u.service_id, 'means.' || NEW.to_state, m.id, NEW.at
        FROM means m JOIN service_user u ON u.holder_id = m.holder_id WHERE m.id = NEW.thing_id;
    WHEN 'emergency stop' THEN
        INSERT INTO event (service, type, subject, at) SELECT DISTINCT u.service_id, 'stop.' || NEW.to_state, s.id, NEW.at
        FROM emergency_stop s JOIN holder h ON h.company_id = s.company_id AND coalesce(s.holder_id, h.id) = h.id
            JOIN service_user u ON u.holder_id = h.id WHERE s.id = NEW.thing_id;
    WHEN 'authentication' THEN
        IF NEW.to_state = 'accepted' THEN
            INSERT INTO service_user (service_id, holder_id) SELECT s.id, a.holder_id
            FROM authentication a JOIN relying_service s ON s.id = a.service WHERE a.id = NEW.thing_id ON CONFLICT DO NOTHING;
        END IF;
        INSERT INTO event (service, type, subject, at) SELECT a.service, 'authentication.' || NEW.to_state, a.id, NEW.at
        FROM authentication a WHERE a.id = NEW.thing_id;
    ELSE
        NULL;
    END CASE;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER tell_services AFTER INSERT ON audit_entry FOR EACH ROW
    WHEN (NEW.from_state <> NEW.to_state AND (NEW.thing IN ('authentication', 'means', 'emergency stop')
        OR NEW.thing = 'card' AND NEW.to_state IN ('posted', 'received', 'active', 'suspended', 'pin_blocked', 'opposed', 'expired')
        OR NEW.thing = 'certificate' AND NEW.to_state IN ('active', 'held', 'revoked', 'expired')))
    EXECUTE FUNCTION tell_services();
