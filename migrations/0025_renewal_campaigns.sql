-- +goose Up

-- A campaign renews cards or certificates. Of certificates its approver is shown, too,
-- by which versions of their profiles the new ones are made.
ALTER TABLE campaign RENAME COLUMN cards TO size;
ALTER TABLE campaign ADD COLUMN subject text NOT NULL DEFAULT 'card' CHECK (subject IN ('card', 'certificate'));
ALTER TABLE campaign ALTER COLUMN subject DROP DEFAULT;
ALTER TABLE campaign ADD COLUMN profiles text NOT NULL DEFAULT '', ADD CHECK ((subject = 'certificate') = (profiles <> ''));
CREATE INDEX campaign_running ON campaign (id) WHERE state = 'running';

-- A certificate is in a campaign once, and is renewed by it once. What happened to it
-- meanwhile has it skipped; what failed can be mended.
CREATE TABLE campaign_certificate (
    campaign_id    text NOT NULL REFERENCES campaign,
    certificate_id text NOT NULL REFERENCES certificate,
    state          text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'ordered', 'skipped', 'failed')),
    order_id       text UNIQUE REFERENCES orders,
    ordered_at     timestamptz,
    why            text NOT NULL DEFAULT '',       -- it is skipped, failed, or left to an approver
    needs_dossier  boolean NOT NULL DEFAULT false, -- evidence lacked when it was ordered
    tell_at        timestamptz,                    -- its holder is told next; NULL: no more
    PRIMARY KEY (campaign_id, certificate_id),
    CHECK ((state = 'ordered') = (order_id IS NOT NULL)),
    CHECK ((state = 'ordered') = (ordered_at IS NOT NULL)),
    CHECK (state NOT IN ('skipped', 'failed') OR why <> ''),
    CHECK (state = 'ordered' OR tell_at IS NULL AND NOT needs_dossier)
);
CREATE INDEX campaign_certificate_to_do ON campaign_certificate (campaign_id, certificate_id) WHERE state = 'waiting';
CREATE INDEX campaign_certificate_not_done ON campaign_certificate (campaign_id, certificate_id) WHERE state IN ('skipped', 'failed');
CREATE INDEX campaign_certificate_to_tell ON campaign_certificate (tell_at) WHERE tell_at IS NOT NULL;

-- How far each certificate of a campaign is. The life of the new one tells it.
CREATE VIEW renewal_step AS
SELECT w.campaign_id, w.certificate_id, w.order_id, w.ordered_at, w.why, o.holder_id, o.profile, o.not_after, n.id AS new_id,
    CASE WHEN w.state <> 'ordered' THEN w.state
        WHEN a.certificate_id IS NOT NULL THEN 'accepted'
        WHEN n.state IN ('cancelled', 'revoked', 'expired') THEN 'refused'
        WHEN o.state IN ('revoked', 'expired') THEN 'lapsed' -- before the new one was accepted
        WHEN n.state = 'ordered' AND w.needs_dossier THEN 'waiting_for_dossier'
        WHEN n.state = 'ordered' THEN 'ordered'
        WHEN n.state IN ('approved', 'awaiting_key') AND e.certificate_id IS NULL THEN 'approved'
        WHEN n.state IN ('approved', 'awaiting_key') THEN 'invited'
        WHEN n.state = 'issuing' THEN 'key_received'
        ELSE n.state::text END AS step -- stopped, issued
FROM campaign_certificate w JOIN certificate o ON o.id = w.certificate_id
    LEFT JOIN certificate n ON n.order_id = w.order_id
    LEFT JOIN enrolment e ON e.certificate_id = n.id
    LEFT JOIN acceptance a ON a.certificate_id = n.id;

-- Why a certificate is renewed: it ends soon, or its profile or its CA is another now.
ALTER TABLE renewal ADD COLUMN reason text NOT NULL DEFAULT 'expiry' CHECK (reason IN ('expiry', 'profile_change', 'ca_change'));

-- A campaign tells holders that a certificate is renewed; its occasion counts.
ALTER TABLE notice DROP CONSTRAINT notice_kind_check;
ALTER TABLE notice ADD CONSTRAINT notice_kind_check CHECK (kind IN ('issued', 'held', 'released', 'revoked', 'expiring', 'renewal'));
CREATE INDEX notice_of_end ON notice (holder_id, due_at) WHERE kind IN ('expiring', 'renewal');
