-- name: InsertCampaign :exec
INSERT INTO campaign (id, subject, state, why, criteria, profiles, size, digest, pilot, hourly, waiver, second_cards, requested_by, requester_as, created_at, updated_at)
VALUES (@id, @subject, @state, @why, @criteria, @profiles, @size, @digest, @pilot, @hourly, @waiver, @second_cards, @requested_by, @requester_as, @created_at, @created_at);

-- name: Campaign :one
SELECT id, state, why, criteria, size, digest, pilot, hourly, waiver, second_cards, requested_by, requester_as, approved_by, content_hash, next_at,
    reached, created_at, updated_at, subject, profiles
FROM campaign WHERE id = @id;

-- name: LockCampaign :one
SELECT id, state, why, criteria, size, digest, pilot, hourly, waiver, second_cards, requested_by, requester_as, approved_by, content_hash, next_at,
    reached, created_at, updated_at, subject, profiles
FROM campaign WHERE id = @id FOR UPDATE;

-- name: Campaigns :many
SELECT id, state, why, criteria, size, digest, pilot, hourly, waiver, second_cards, requested_by, requester_as, approved_by, content_hash, next_at,
    reached, created_at, updated_at, subject, profiles
FROM campaign WHERE id > @after ORDER BY id LIMIT @max_rows;

-- name: SetCampaignState :execrows
UPDATE campaign SET state = @to_state, updated_at = @at WHERE id = @id AND state = @from_state;

-- name: SetCampaignApproval :exec
UPDATE campaign SET approved_by = @approved_by, content_hash = @content_hash WHERE id = @id;

-- name: SetCampaignPicked :exec
UPDATE campaign SET size = @size, digest = @digest, profiles = @profiles WHERE id = @id;

-- name: SetCampaignReached :exec
UPDATE campaign SET next_at = sqlc.narg('next_at'), reached = @reached WHERE id = @id;

-- The cards of a filter that this house made and that are in use, but those in
-- whose place a card is on its way. A card without keys on record is of the first
-- versions.
-- name: PickCards :many
SELECT c.id FROM card c LEFT JOIN card_keys k ON k.card_id = c.id
WHERE c.id > @after AND c.state IN ('active', 'suspended', 'pin_blocked') AND c.usable_until IS NULL
    AND EXISTS (SELECT FROM product p WHERE p.code = c.product AND p.kind = 'authentication_card')
    AND NOT EXISTS (SELECT FROM card n WHERE n.place = c.place
        AND n.state NOT IN ('active', 'suspended', 'pin_blocked', 'opposed', 'expired', 'cancelled', 'destroyed'))
    AND (sqlc.narg('product')::text IS NULL OR c.product = sqlc.narg('product'))
    AND c.expiry BETWEEN @expires_from::date AND @expires_to::date AND c.last_atc >= @least_atc::int
    AND (sqlc.narg('profile')::text IS NULL OR c.profile = sqlc.narg('profile'))
    AND (sqlc.narg('master')::text IS NULL
        OR coalesce(CASE sqlc.narg('master') WHEN 'ac' THEN k.ac WHEN 'smi' THEN k.smi ELSE k.smc END, 1) = sqlc.narg('version')::int)
ORDER BY c.id LIMIT @max_rows;

-- name: CardStates :many
SELECT id, state FROM card WHERE id = ANY (@ids::text[]);

-- name: InsertCampaignCards :many
INSERT INTO campaign_card (campaign_id, card_id) SELECT @campaign_id, unnest(@cards::text[]) ON CONFLICT DO NOTHING RETURNING card_id;

-- name: CampaignCards :many
SELECT card_id FROM campaign_card WHERE campaign_id = @campaign_id AND card_id > @after ORDER BY card_id LIMIT @max_rows;

-- The cards that are next, with what their renewal needs. Cards are locked in the
-- order of their identifiers.
-- name: LockWaitingCards :many
SELECT c.id, c.state, c.product, c.usable_until, c.place, c.holder_id, c.delivery, c.branch_id, h.given_name, h.surname, h.address_changed_at,
    EXISTS (SELECT FROM card n WHERE n.place = c.place
        AND n.state NOT IN ('active', 'suspended', 'pin_blocked', 'opposed', 'expired', 'cancelled', 'destroyed'))::boolean AS replaced,
    EXISTS (SELECT FROM orders p WHERE p.holder_id = c.holder_id AND p.kind IN ('new_card', 'replacement_card', 'renewal', 'pin_reissue')
        AND p.state NOT IN ('refused', 'cancelled') AND p.created_at > @second_since
        AND NOT EXISTS (SELECT FROM campaign_card x WHERE x.order_id = p.id AND x.campaign_id = w.campaign_id))::boolean AS second_card
FROM campaign_card w JOIN card c ON c.id = w.card_id JOIN holder h ON h.id = c.holder_id
WHERE w.campaign_id = @campaign_id AND w.state = 'waiting' AND w.card_id > @after ORDER BY w.card_id LIMIT @max_rows FOR UPDATE OF c FOR SHARE OF h;

-- name: NextPANNumbers :many
SELECT nextval('pan_number')::bigint FROM generate_series(1, @n::int);

-- name: InsertRenewals :exec
INSERT INTO orders (id, kind, state, holder_id, target_card, reason, delivery, branch_id, fee_cents, currency, requested_by, product,
    waiver, urgency, created_at, updated_at)
SELECT n.id, 'renewal', @state::order_state, c.holder_id, c.id, @reason::text, c.delivery, c.branch_id, n.fee, n.currency, @requested_by::text,
    c.product, n.waiver, 'campaign', @created_at::timestamptz, @created_at::timestamptz
FROM (SELECT unnest(@ids::text[]) AS id, unnest(@targets::text[]) AS target, unnest(@fees::bigint[]) AS fee,
        unnest(@currencies::text[]) AS currency, unnest(@waivers::text[]) AS waiver) n JOIN card c ON c.id = n.target;

-- name: InsertRenewedCards :exec
INSERT INTO card (id, order_id, holder_id, state, product, profile, pan_sealed, pan_mark, last4, psn, expiry, delivery, branch_id,
    replaces, place, batch_id, created_at, updated_at)
SELECT n.id, n.order_id, c.holder_id, @state::card_state, c.product, n.profile, n.pan_sealed, n.pan_mark, n.last4, 1, n.expiry, c.delivery,
    c.branch_id, c.id, c.place, n.batch, @created_at::timestamptz, @created_at::timestamptz
FROM (SELECT unnest(@ids::text[]) AS id, unnest(@order_ids::text[]) AS order_id, unnest(@targets::text[]) AS target,
        unnest(@profiles::text[]) AS profile, unnest(@pans_sealed::bytea[]) AS pan_sealed, unnest(@pan_marks::bytea[]) AS pan_mark,
        unnest(@last4s::text[]) AS last4, unnest(@expiries::date[]) AS expiry, unnest(@batches::text[]) AS batch) n JOIN card c ON c.id = n.target;

-- The cards are named twice: by the second the few rows are found without a look
-- at the campaign's others, however little is known of a table that is new.
-- name: SetCampaignCards :exec
UPDATE campaign_card w SET state = n.state, order_id = nullif(n.order_id, ''), failure = n.failure
FROM (SELECT unnest(@cards::text[]) AS card_id, unnest(@states::text[]) AS state, unnest(@order_ids::text[]) AS order_id,
        unnest(@failures::text[]) AS failure) n
WHERE w.campaign_id = @campaign_id AND w.card_id = ANY (@cards::text[]) AND w.card_id = n.card_id AND w.state = 'waiting';

-- name: CountCampaignCards :many
SELECT coalesce(n.state::text, w.state)::text AS state, count(*) AS n
FROM campaign_card w LEFT JOIN card n ON n.order_id = w.order_id
WHERE w.campaign_id = @campaign_id GROUP BY 1 ORDER BY 1;

-- name: CampaignFailures :many
SELECT card_id, failure FROM campaign_card
WHERE campaign_id = @campaign_id AND state = 'failed' AND card_id > @after ORDER BY card_id LIMIT @max_rows;

-- name: RetryCampaignCards :execrows
UPDATE campaign_card SET state = 'waiting', failure = '' WHERE campaign_id = @campaign_id AND state = 'failed';
