-- One database role for each kind of process, with the rights that it needs and
-- no more. It can be run again after every upgrade: rights that are no longer
-- written here are gone.
--
--   sceau_app     doors of the office and of relying services, workers but for PIN letters
--   sceau_pin     the PIN-letter worker: it never sees a card number
--   sceau_holder  the door for holders: what an enrolment and a revocation touch, no card,
--                 no dossier, no key of a relying service
--   sceau_public  the revocation door: status, lists, CA certificates; it cannot write

-- One process at a time: PostgreSQL lets no two change the rights of one table at
-- once.
SELECT pg_advisory_xact_lock(hashtextextended('sceau roles', 0));

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['sceau_app', 'sceau_pin', 'sceau_holder', 'sceau_public'] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
                EXECUTE format('CREATE ROLE %I LOGIN', name);
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- another process made it meanwhile
        END;
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA public FROM %I', name);
        EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM %I', name);
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), name);
        EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', name);
    END LOOP;
END $$;

-- The audit trail and the ledger of stock are written and read, never changed;
-- nor is the record of migrations.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO sceau_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO sceau_app;
REVOKE UPDATE, DELETE, TRUNCATE ON audit_entry, stock_movement FROM sceau_app;
-- Evidence is written once, and a key is blocked for ever.
REVOKE UPDATE, DELETE, TRUNCATE ON acceptance, blocked_key, caller_answer FROM sceau_app;
REVOKE UPDATE, DELETE, TRUNCATE ON authentication_use FROM sceau_app; -- used once
-- Who may sign what, once said, is covered by what is said next.
REVOKE UPDATE, DELETE, TRUNCATE ON entitlement FROM sceau_app;
GRANT UPDATE (state, decided_by, why, updated_at) ON entitlement TO sceau_app;
REVOKE UPDATE, DELETE, TRUNCATE ON decision FROM sceau_app;
REVOKE UPDATE, DELETE, TRUNCATE ON setting_change FROM sceau_app;
GRANT UPDATE (state, effective_from, decided_by, note, updated_at) ON setting_change TO sceau_app;
REVOKE INSERT, UPDATE, DELETE ON goose_db_version FROM sceau_app;
-- So is what a holder signed to bind a certificate, and a list that was fetched: it is
-- replaced whole.
REVOKE UPDATE, DELETE, TRUNCATE ON foreign_certificate FROM sceau_app;
REVOKE UPDATE, TRUNCATE ON foreign_list, foreign_revoked FROM sceau_app;
-- What a letter template or a certificate profile says is written once; a
-- distinguished name stays whose it is.
REVOKE UPDATE, DELETE, TRUNCATE ON edition, subject_name FROM sceau_app;
GRANT UPDATE (state, decided_by, decided_at, reason) ON edition TO sceau_app;
-- Of a dossier stays that it was; a scan is sealed again or erased, never another.
REVOKE DELETE, TRUNCATE ON dossier, dossier_scan, certification_agent FROM sceau_app;
REVOKE UPDATE ON dossier_scan FROM sceau_app;
GRANT UPDATE (content) ON dossier_scan TO sceau_app;

-- FOR UPDATE asks for the right to update some column.
GRANT SELECT (id, holder_id, state, pin_version), UPDATE (updated_at) ON card TO sceau_pin;
GRANT SELECT, UPDATE (state, failure) ON pin_letter TO sceau_pin;
GRANT SELECT, UPDATE (state, fence, rendered_at, template) ON print_run TO sceau_pin;
GRANT SELECT, UPDATE (page, sheets), DELETE ON print_sheet TO sceau_pin;
GRANT SELECT ON edition TO sceau_pin;
GRANT SELECT ON holder, company TO sceau_pin;
GRANT INSERT ON document, audit_entry, work_item TO sceau_pin;

-- Who answers the internet: a certificate's life between its code and its end. What
-- an order holds, who its holder is and what its profile says is read; evidence,
-- trail and notices are written and not read again.
GRANT SELECT ON certificate, holder, company, orders, edition, issuer, delegate, blocked_key, enrolment, key_device,
    revocation_code, revocation_try, revocation_request TO sceau_holder;
GRANT UPDATE (state, csr, spki_sha256, rejection, issuer_id, shard, serial, reserved_at, revoked_at, reason, invalidity_date, status_version, crl_revision, crl_entry, updated_at)
    ON certificate TO sceau_holder;
GRANT UPDATE (state, failure, updated_at, completed_at) ON orders TO sceau_holder;
GRANT UPDATE (created_at) ON issuer TO sceau_holder; -- FOR SHARE asks for the right to update some column
GRANT UPDATE (code_sha256, tries, session_sha256, session_expires) ON enrolment TO sceau_holder;
GRANT INSERT, UPDATE, DELETE ON key_device TO sceau_holder;
GRANT INSERT, UPDATE ON revocation_code, revocation_try TO sceau_holder;
GRANT INSERT, UPDATE (state, ended_at, why) ON revocation_request TO sceau_holder;
GRANT INSERT ON acceptance, audit_entry, blocked_key, caller_answer, fraud_report, notice, status_change, work_item TO sceau_holder;
GRANT SELECT (certificate_id, kind, occasion) ON notice TO sceau_holder; -- as ON CONFLICT asks for
GRANT SELECT (certificate_id), INSERT ON reminder TO sceau_holder;
GRANT SELECT (issuer_id, shard, revision), UPDATE (revision) ON crl_shard TO sceau_holder;

GRANT SELECT ON issuer, delegate, crl, crl_piece, crl_shard, ocsp_answer, certificate_status, house_status, cross_certificate TO sceau_public;

-- River's tables, whatever its version has.
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename LIKE 'river\_%' AND tablename <> 'river_migration' LOOP
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO sceau_pin', name);
    END LOOP;
    IF to_regclass('river_job') IS NOT NULL THEN -- jobs are asked for, not worked
        GRANT SELECT, INSERT, UPDATE (kind) ON river_job TO sceau_holder;
        GRANT USAGE ON SEQUENCE river_job_id_seq TO sceau_holder;
    END IF;
    FOR name IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' AND sequencename LIKE 'river\_%' LOOP
        EXECUTE format('GRANT USAGE ON SEQUENCE %I TO sceau_pin', name);
    END LOOP;
END $$;
