-- The certificates of a filter: in use, before their end, and with no living one that
-- renews them. Of another profile's version than the live one, or of another CA than
-- the one that signs now, where that is the reason.
-- name: PickCertificates :many
SELECT c.id, c.profile, c.not_after, c.issuer_id, h.user_number, h.given_name, h.surname, o.client_id, o.name AS company
FROM certificate c JOIN holder h ON h.id = c.holder_id JOIN company o ON o.id = h.company_id JOIN branch b ON b.id = o.branch_id
WHERE c.state IN ('active', 'held') AND c.not_after > @at AND c.not_after <= @ends_by AND c.id > @after
    AND (@profile::text = '' OR c.profile = @profile) AND (@issuer::text = '' OR c.issuer_id = @issuer)
    AND (@company::text = '' OR o.client_id = @company) AND (@branch::text = '' OR b.code = @branch)
    AND (@signs_now::text = '' OR c.issuer_id <> @signs_now)
    AND (@profiles::text = '' OR c.profile_version IS DISTINCT FROM
        (SELECT coalesce(max(e.version), 0) FROM edition e WHERE e.thing = @profiles AND e.name = c.profile AND e.state = 'live'))
    AND NOT EXISTS (SELECT 1 FROM renewal r JOIN certificate n ON n.id = r.certificate_id
        WHERE r.renews = c.id AND n.state NOT IN ('cancelled', 'revoked', 'expired'))
ORDER BY c.id LIMIT @max_rows;

-- name: InsertCampaignCertificates :execrows
INSERT INTO campaign_certificate (campaign_id, certificate_id) SELECT @campaign_id, unnest(@certificates::text[]);

-- name: CampaignCertificates :many
SELECT certificate_id FROM campaign_certificate WHERE campaign_id = @campaign_id AND certificate_id > @after ORDER BY certificate_id LIMIT @max_rows;

-- name: CampaignProfiles :many
SELECT DISTINCT c.profile FROM campaign_certificate w JOIN certificate c ON c.id = w.certificate_id WHERE w.campaign_id = @campaign_id ORDER BY 1;

-- The certificates that are next, locked. What is true of them is asked for behind
-- the lock, in a statement of its own: it sees what the lock waited for.
-- name: LockWaitingCertificates :many
SELECT c.id FROM campaign_certificate w JOIN certificate c ON c.id = w.certificate_id
WHERE w.campaign_id = @campaign_id AND w.state = 'waiting' AND w.certificate_id > @after ORDER BY w.certificate_id LIMIT @max_rows FOR UPDATE OF c;

-- What speaks against a renewal: one that lives, or a certificate of the same holder,
-- profile and system that was ordered since and renews none.
-- name: CertificatesInCampaign :many
SELECT c.id, c.state, c.not_after, c.profile, c.service, c.holder_id,
    coalesce((SELECT n.id FROM renewal r JOIN certificate n ON n.id = r.certificate_id
        WHERE r.renews = c.id AND n.state NOT IN ('cancelled', 'revoked', 'expired') LIMIT 1), '')::text AS renewed_by,
    coalesce((SELECT n.id FROM certificate n
        WHERE n.holder_id = c.holder_id AND n.profile = c.profile AND n.service = c.service AND n.id <> c.id AND n.created_at > @since::timestamptz
            AND n.state NOT IN ('cancelled', 'revoked', 'expired') AND NOT EXISTS (SELECT 1 FROM renewal r WHERE r.certificate_id = n.id)
        LIMIT 1), '')::text AS ordered_anew
FROM certificate c WHERE c.id = ANY (@ids::text[]) ORDER BY c.id;

-- name: LockLiveDossiers :many
SELECT id FROM dossier WHERE holder_id = ANY (@holders::text[]) AND state IN ('open', 'complete') ORDER BY id FOR UPDATE;

-- name: InsertCertificateOrders :exec
INSERT INTO orders (id, kind, state, holder_id, fee_cents, currency, requested_by, product, waiver, created_at, updated_at)
SELECT n.id, 'new_certificate', n.state::order_state, n.holder_id, @fee::bigint, @currency::text, @requested_by::text, '', @waiver::text,
    @created_at::timestamptz, @created_at::timestamptz
FROM (SELECT unnest(@ids::text[]) AS id, unnest(@states::text[]) AS state, unnest(@holders::text[]) AS holder_id) n;

-- name: InsertRenewedCertificates :exec
INSERT INTO certificate (id, order_id, holder_id, state, profile, service, profile_version, dossier_id, created_at, updated_at)
SELECT n.id, n.order_id, c.holder_id, n.state::certificate_state, c.profile, c.service, nullif(n.version, -1), nullif(n.dossier_id, ''),
    @created_at::timestamptz, @created_at::timestamptz
FROM (SELECT unnest(@ids::text[]) AS id, unnest(@order_ids::text[]) AS order_id, unnest(@targets::text[]) AS target, unnest(@states::text[]) AS state,
        unnest(@versions::integer[]) AS version, unnest(@dossiers::text[]) AS dossier_id) n JOIN certificate c ON c.id = n.target;

-- name: InsertCertificateRenewals :exec
INSERT INTO renewal (certificate_id, renews, reason, ordered_by, ordered_at)
SELECT unnest(@ids::text[]), unnest(@targets::text[]), @reason::text, @ordered_by::text, @ordered_at::timestamptz;

-- Of two certificates that rely on one dossier it is kept for the longer time.
-- name: KeepDossiers :exec
UPDATE dossier d SET retention_years = greatest(d.retention_years, n.years)
FROM (SELECT x.id, max(x.years) AS years FROM (SELECT unnest(@ids::text[]) AS id, unnest(@years::integer[]) AS years) x GROUP BY x.id) n
WHERE d.id = n.id;

-- name: SetCampaignCertificates :exec
UPDATE campaign_certificate w SET state = n.state, order_id = nullif(n.order_id, ''), why = n.why, needs_dossier = n.needs_dossier,
    ordered_at = CASE WHEN n.state = 'ordered' THEN @at::timestamptz END, tell_at = CASE WHEN n.state = 'ordered' THEN @at::timestamptz END
FROM (SELECT unnest(@certificates::text[]) AS certificate_id, unnest(@states::text[]) AS state, unnest(@order_ids::text[]) AS order_id,
        unnest(@whys::text[]) AS why, unnest(@needs_dossier::boolean[]) AS needs_dossier) n
WHERE w.campaign_id = @campaign_id AND w.certificate_id = ANY (@certificates::text[]) AND w.certificate_id = n.certificate_id AND w.state = 'waiting';

-- name: CountCampaignCertificates :many
SELECT coalesce(step, '')::text AS state, count(*) AS n FROM renewal_step WHERE campaign_id = @campaign_id GROUP BY 1 ORDER BY 1;

-- name: CampaignCertificatesNotDone :many
SELECT certificate_id, state, why FROM campaign_certificate
WHERE campaign_id = @campaign_id AND state IN ('skipped', 'failed') AND certificate_id > @after ORDER BY certificate_id LIMIT @max_rows;

-- name: RetryCampaignCertificates :execrows
UPDATE campaign_certificate SET state = 'waiting', why = '' WHERE campaign_id = @campaign_id AND state = 'failed';

-- name: CampaignSteps :many
SELECT s.certificate_id, coalesce(s.step, '')::text AS step, s.why, s.ordered_at, coalesce(s.order_id, '')::text AS order_id, coalesce(s.new_id, '')::text AS new_id,
    s.profile, s.not_after, h.user_number, h.given_name, h.surname, o.client_id, o.name AS company, b.code AS branch, t.told, t.told_at
FROM renewal_step s JOIN holder h ON h.id = s.holder_id JOIN company o ON o.id = h.company_id JOIN branch b ON b.id = o.branch_id
    CROSS JOIN LATERAL (SELECT count(*) AS told, coalesce(max(n.due_at), 'epoch')::timestamptz AS told_at FROM notice n
        WHERE n.certificate_id = s.certificate_id AND n.kind IN ('expiring', 'renewal') AND n.state <> 'cancelled') t
WHERE s.campaign_id = @campaign_id AND s.certificate_id > @after
ORDER BY s.certificate_id LIMIT @max_rows;

-- What a campaign's holders were told of its certificates since it was proposed.
-- name: CampaignNotices :many
SELECT n.id, n.certificate_id, n.holder_id, n.kind, n.occasion, n.state, n.language, n.due_at, n.attempts, n.address, n.message_id, n.sent_at, n.failure, n.updated_at, n.former_address, n.setting_id
FROM notice n JOIN campaign_certificate w ON w.certificate_id = n.certificate_id JOIN campaign m ON m.id = w.campaign_id
WHERE w.campaign_id = @campaign_id AND n.kind IN ('expiring', 'renewal') AND n.due_at >= m.created_at AND n.id > @after
ORDER BY n.id LIMIT @max_rows;

-- Whom a campaign has to tell now. What is paused, cancelled or over tells nobody.
-- name: HoldersToTell :many
SELECT w.campaign_id, w.certificate_id, s.holder_id, coalesce(s.step, '')::text AS step,
    (SELECT count(*) FROM notice n WHERE n.certificate_id = w.certificate_id AND n.kind = 'renewal' AND n.due_at >= w.ordered_at) AS told,
    (SELECT coalesce(max(n.occasion), 0) FROM notice n WHERE n.certificate_id = w.certificate_id AND n.kind = 'renewal')::integer AS occasion,
    coalesce((SELECT max(n.due_at) FROM notice n
        WHERE n.holder_id = s.holder_id AND n.kind IN ('expiring', 'renewal') AND n.state <> 'cancelled'), 'epoch')::timestamptz AS told_at
FROM campaign_certificate w JOIN campaign m ON m.id = w.campaign_id
    JOIN renewal_step s ON s.campaign_id = w.campaign_id AND s.certificate_id = w.certificate_id
WHERE w.tell_at <= @at AND m.state IN ('piloting', 'piloted', 'running') ORDER BY w.tell_at LIMIT @max_rows FOR UPDATE OF w SKIP LOCKED;

-- name: SetToldNext :exec
UPDATE campaign_certificate w SET tell_at = n.at
FROM (SELECT unnest(@campaigns::text[]) AS campaign_id, unnest(@certificates::text[]) AS certificate_id, unnest(@times::timestamptz[]) AS at) n
WHERE w.campaign_id = n.campaign_id AND w.certificate_id = n.certificate_id;

-- name: StopTelling :exec
UPDATE campaign_certificate w SET tell_at = NULL
FROM (SELECT unnest(@campaigns::text[]) AS campaign_id, unnest(@certificates::text[]) AS certificate_id) n
WHERE w.campaign_id = n.campaign_id AND w.certificate_id = n.certificate_id;

-- name: RenewalsRunning :many
SELECT id FROM campaign WHERE state = 'running' AND subject = 'certificate' ORDER BY id;

-- name: CampaignHasOpen :one
SELECT EXISTS (SELECT 1 FROM renewal_step
    WHERE campaign_id = @campaign_id AND step NOT IN ('accepted', 'refused', 'lapsed', 'skipped', 'failed'))::boolean AS open;

-- Whether a renewal of a certificate waits for its holder, or for what they bring.
-- name: RenewalWaits :one
SELECT EXISTS (SELECT 1 FROM renewal r JOIN certificate n ON n.id = r.certificate_id
    WHERE r.renews = @renews AND n.state IN ('ordered', 'approved', 'awaiting_key', 'issuing', 'stopped', 'issued'))::boolean AS waits;
