-- +goose Up

-- Certificates of the house's own TLS listeners, so that they can be revoked.
ALTER TABLE house_certificate DROP CONSTRAINT house_certificate_kind_check;
ALTER TABLE house_certificate ADD CONSTRAINT house_certificate_kind_check CHECK (kind IN ('ca', 'ocsp', 'bureau', 'statement', 'server', 'lost'));
