-- name: NextPANNumber :one
SELECT nextval('pan_number')::bigint;

-- name: InsertCard :exec
INSERT INTO card (id, order_id, holder_id, state, product, profile, pan_sealed, pan_mark, last4, psn, expiry, delivery, branch_id,
    replaces, place, created_at, updated_at)
VALUES (@id, @order_id, @holder_id, @state, @product, @profile, @pan_sealed, @pan_mark, @last4, @psn, @expiry, @delivery,
    sqlc.narg('branch_id'), sqlc.narg('replaces'), @place, @created_at, @created_at);

-- name: Card :one
SELECT id, order_id, holder_id, state, product, profile, psn, expiry, pin_version, delivery, branch_id, replaces, batch_id,
    plastic_serial, last_atc, scripts, cap_failures, usable_until, end_reason, receipt, created_at, updated_at,
    pan_sealed, pan_mark, last4, suspended_by, place
FROM card WHERE id = @id;

-- name: LockCard :one
SELECT id, order_id, holder_id, state, product, profile, psn, expiry, pin_version, delivery, branch_id, replaces, batch_id,
    plastic_serial, last_atc, scripts, cap_failures, usable_until, end_reason, receipt, created_at, updated_at,
    pan_sealed, pan_mark, last4, suspended_by, place
FROM card WHERE id = @id FOR UPDATE;

-- The cards of a place that are in use or on their way.
-- name: LockPlace :many
SELECT id FROM card
WHERE place = @place AND state IN ('active', 'suspended', 'pin_blocked')
    OR place = @place AND state NOT IN ('active', 'suspended', 'pin_blocked', 'opposed', 'expired', 'cancelled', 'destroyed')
ORDER BY id FOR UPDATE;

-- name: CardByOrder :one
SELECT id, order_id, holder_id, state, product, profile, psn, expiry, pin_version, delivery, branch_id, replaces, batch_id,
    plastic_serial, last_atc, scripts, cap_failures, usable_until, end_reason, receipt, created_at, updated_at,
    pan_sealed, pan_mark, last4, suspended_by, place
FROM card WHERE order_id = @order_id;

-- name: AllCards :many
SELECT id, order_id, holder_id, state, product, profile, psn, expiry, pin_version, delivery, branch_id, replaces, batch_id,
    plastic_serial, last_atc, scripts, cap_failures, usable_until, end_reason, receipt, created_at, updated_at,
    pan_sealed, pan_mark, last4, suspended_by, place
FROM card WHERE id > @after ORDER BY id LIMIT @max_rows;

-- name: SetCardState :execrows
UPDATE card SET state = @to_state, updated_at = @at, suspended_by = @suspended_by WHERE id = @id AND state = @from_state;

-- name: SetCardDelivery :exec
UPDATE card SET delivery = @delivery, branch_id = sqlc.narg('branch_id') WHERE order_id = @order_id;

-- name: SetCardEnd :exec
UPDATE card SET end_reason = @end_reason, receipt = @receipt WHERE id = @id;

-- name: SetCardPlastic :exec
UPDATE card SET plastic_serial = @plastic_serial WHERE id = @id;

-- name: PrepareRemake :exec
UPDATE card SET psn = psn + 1, pin_version = pin_version + 1, batch_id = NULL, last_atc = 0, cap_failures = 0, scripts = '{0}'
WHERE id = @id;

-- name: CountDaysOfOldCards :exec
UPDATE card SET usable_until = @usable_until
WHERE place = @place AND id <> @id AND usable_until IS NULL AND state IN ('active', 'suspended', 'pin_blocked');

-- The cards that somebody claims to have a code of, for several who ask at the
-- same time: by the card, or by the company's client ID and the user's number.
-- Nothing of a user whom an emergency stop concerns is accepted.
-- name: CandidateCards :many
WITH asked AS (
    SELECT unnest(@asks::int[]) AS ask, unnest(@cards::text[]) AS card, unnest(@client_ids::text[]) AS client_id,
        unnest(@user_numbers::text[]) AS user_number
)
SELECT a.ask::int AS ask, c.id, c.state, c.expiry, c.usable_until FROM asked a JOIN card c ON c.id = a.card JOIN holder h ON h.id = c.holder_id
WHERE NOT EXISTS (SELECT 1 FROM emergency_stop s WHERE s.company_id = h.company_id AND s.state <> 'lifted' AND (s.holder_id IS NULL OR s.holder_id = h.id))
UNION ALL
SELECT a.ask::int, c.id, c.state, c.expiry, c.usable_until FROM asked a JOIN company o ON o.client_id = a.client_id
    JOIN holder h ON h.company_id = o.id AND h.user_number = a.user_number JOIN card c ON c.holder_id = h.id
WHERE NOT EXISTS (SELECT 1 FROM emergency_stop s WHERE s.company_id = o.id AND s.state <> 'lifted' AND (s.holder_id IS NULL OR s.holder_id = h.id))
ORDER BY 1, 2;

-- Counts a guess on each card that is not locked, and gives each card as it was
-- before. A locked one is written too: its caller waits as long. Rows are locked in the order of their identifiers, by every process.
-- name: CountCAPAttempts :many
WITH locked AS (
    SELECT id, holder_id, state, profile, pan_sealed, psn, last_atc, scripts, cap_failures FROM card
    WHERE id = ANY (@ids::text[]) ORDER BY id FOR UPDATE
), counted AS (
    UPDATE card c SET cap_failures = least(c.cap_failures + 1, @max_failures::int) FROM locked l WHERE c.id = l.id
)
SELECT id, holder_id, state, profile, pan_sealed, psn, last_atc, scripts, cap_failures, (cap_failures < @max_failures::int)::boolean AS counted
FROM locked ORDER BY id;

-- name: GiveBackCAPAttempts :exec
WITH locked AS (SELECT id FROM card WHERE id = ANY (@ids::text[]) ORDER BY id FOR UPDATE)
UPDATE card c SET cap_failures = c.cap_failures - 1 FROM locked l WHERE c.id = l.id AND c.cap_failures > 0;

-- Records what the engine said of several codes, each tried on the cards with the
-- same right_id, and gives the cards whose code is spent. The right card's counter
-- is burnt if it is still below the code's and the card may still be used; then
-- the guess on the holder's other cards is given back, else each keeps its guess.
-- A card that the engine could not judge gets its guess back in any case.
-- name: RecordCAPAttempts :many
WITH tried AS (
    SELECT unnest(@ids::text[]) AS id, unnest(@right_ids::text[]) AS right_id, unnest(@unjudged::boolean[]) AS unjudged,
        unnest(@counted::boolean[]) AS counted,
        unnest(@psns::int[]) AS psn, unnest(@atcs::int[]) AS atc, unnest(@script_counts::int[]) AS scripts,
        unnest(@activations::boolean[]) AS activation, unnest(@states::text[]) AS state, unnest(@actors::text[]) AS actor,
        unnest(@roles::text[]) AS role, unnest(@accepted::text[]) AS accepted, unnest(@refused::text[]) AS refused
), locked AS (
    SELECT id FROM card WHERE id = ANY (@ids::text[]) ORDER BY id FOR UPDATE
), burnt AS (
    UPDATE card c SET last_atc = t.atc, scripts = ARRAY[t.scripts], cap_failures = 0
    FROM tried t JOIN locked l ON l.id = t.id
    WHERE c.id = t.id AND t.id = t.right_id AND c.psn = t.psn AND c.last_atc < t.atc
        AND c.state::text = ANY (CASE WHEN t.activation THEN @activatable::text[] ELSE @usable::text[] END)
    RETURNING c.id
), given_back AS (
    UPDATE card c SET cap_failures = c.cap_failures - 1
    FROM tried t JOIN locked l ON l.id = t.id LEFT JOIN burnt b ON b.id = t.right_id
    WHERE c.id = t.id AND t.counted AND c.cap_failures > 0 AND (t.unjudged OR b.id IS NOT NULL AND t.id <> t.right_id)
), trail AS (
    INSERT INTO audit_entry (at, actor, role, thing, thing_id, event, from_state, to_state, detail)
    SELECT @at::timestamptz, t.actor, t.role, 'card', t.id, CASE WHEN b.id IS NULL THEN @refuse_event::text ELSE @accept_event::text END,
        t.state, t.state, (CASE WHEN b.id IS NULL THEN t.refused ELSE t.accepted END)::jsonb
    FROM tried t LEFT JOIN burnt b ON b.id = t.right_id
    WHERE CASE WHEN b.id IS NULL THEN NOT t.unjudged ELSE t.id = t.right_id END
)
SELECT id FROM burnt;

-- name: BurnATC :execrows
UPDATE card SET last_atc = @atc, scripts = @scripts, cap_failures = 0
WHERE id = @id AND psn = @psn AND last_atc < @atc AND state::text = ANY (@states::text[]);

-- name: SetCAPFailures :exec
UPDATE card SET cap_failures = @failures WHERE id = @id;

-- name: ApprovedCards :many
SELECT c.id, c.order_id, c.holder_id, c.state, c.product, c.profile, c.psn, c.expiry, c.pin_version, c.delivery, c.branch_id, c.replaces, c.batch_id, c.plastic_serial, c.last_atc, c.scripts, c.cap_failures, c.usable_until, c.end_reason, c.receipt, c.created_at, c.updated_at, c.pan_sealed, c.pan_mark, c.last4, c.suspended_by, c.place
FROM card c JOIN orders o ON o.id = c.order_id
WHERE c.state = 'approved' AND c.product = @product AND c.profile = @profile AND o.urgency = @urgency
ORDER BY c.id LIMIT @max_rows FOR UPDATE OF c SKIP LOCKED;

-- The groups that wait for batches, the most urgent first, then that of the card
-- that waits longest.
-- name: GroupsWaiting :many
SELECT c.product, c.profile, o.urgency FROM card c JOIN orders o ON o.id = c.order_id WHERE c.state = 'approved'
GROUP BY c.product, c.profile, o.urgency ORDER BY array_position(ARRAY['urgent', 'standard', 'campaign'], o.urgency), min(c.id);

-- name: LockCards :many
SELECT id, order_id, holder_id, state, product, profile, psn, expiry, pin_version, delivery, branch_id, replaces, batch_id,
    plastic_serial, last_atc, scripts, cap_failures, usable_until, end_reason, receipt, created_at, updated_at,
    pan_sealed, pan_mark, last4, suspended_by, place
FROM card WHERE id = ANY (@ids::text[]) ORDER BY id FOR UPDATE;

-- name: LockCardsOfOrders :many
SELECT id, order_id, holder_id, state, product, profile, psn, expiry, pin_version, delivery, branch_id, replaces, batch_id,
    plastic_serial, last_atc, scripts, cap_failures, usable_until, end_reason, receipt, created_at, updated_at,
    pan_sealed, pan_mark, last4, suspended_by, place
FROM card WHERE order_id = ANY (@ids::text[]) ORDER BY id FOR UPDATE;

-- name: SetCardsState :execrows
UPDATE card SET state = @to_state, updated_at = @at WHERE id = ANY (@ids::text[]) AND state = @from_state;

-- name: SetCardsSealed :execrows
UPDATE card SET state = @to_state, batch_id = @batch_id, updated_at = @at WHERE id = ANY (@ids::text[]) AND state = @from_state;

-- name: SetCardsMade :execrows
UPDATE card c SET state = @to_state, plastic_serial = n.serial, updated_at = @at
FROM (SELECT unnest(@ids::text[]) AS id, unnest(@serials::text[]) AS serial) n WHERE c.id = n.id AND c.state = @from_state;

-- name: InsertBatchCards :exec
INSERT INTO batch_card (batch_id, card_id, psn, pin_version) SELECT @batch_id, id, psn, pin_version FROM card WHERE id = ANY (@ids::text[]);

-- name: SetBatchCardsDGIs :exec
UPDATE batch_card b SET dgis = n.dgis
FROM (SELECT unnest(@ids::text[]) AS id, unnest(@dgis::bytea[]) AS dgis) n WHERE b.batch_id = @batch_id AND b.card_id = n.id;

-- name: SetCardsKeys :exec
INSERT INTO card_keys (card_id, ac, smi, smc) SELECT unnest(@ids::text[]), unnest(@ac::int[]), unnest(@smi::int[]), unnest(@smc::int[])
ON CONFLICT (card_id) DO UPDATE SET ac = excluded.ac, smi = excluded.smi, smc = excluded.smc;

-- name: CardsToExpire :many
SELECT id FROM card
WHERE state IN ('posted', 'at_branch', 'received', 'active', 'suspended', 'pin_blocked')
    AND (expiry < @today::date OR usable_until < @at::timestamptz)
ORDER BY id LIMIT @max_rows;

-- name: InsertBatch :one
INSERT INTO batch (id, product, bureau, urgency, state, attempt_id, created_at)
VALUES (@id, @product, @bureau, @urgency, @state, @attempt_id, @created_at) RETURNING sequence;

-- name: Batch :one
SELECT id, sequence, product, bureau, state, attempt_id, fence, transport_kcv, created_at, sent_at, urgency FROM batch WHERE id = @id;

-- name: LockBatch :one
SELECT id, sequence, product, bureau, state, attempt_id, fence, transport_kcv, created_at, sent_at, urgency FROM batch WHERE id = @id
FOR UPDATE;

-- name: Batches :many
SELECT id, sequence, product, bureau, state, attempt_id, fence, transport_kcv, created_at, sent_at, urgency FROM batch ORDER BY sequence;

-- name: SetBatchState :execrows
UPDATE batch SET state = @to_state WHERE id = @id AND state = @from_state;

-- name: FenceBatch :one
UPDATE batch SET fence = fence + 1 WHERE id = @id RETURNING fence;

-- name: SetBatchTransportKCV :exec
UPDATE batch SET transport_kcv = @transport_kcv WHERE id = @id;

-- name: SetBatchSent :exec
UPDATE batch SET sent_at = @sent_at WHERE id = @id;

-- name: BatchCards :many
SELECT b.batch_id, b.card_id, b.psn, b.pin_version, b.dgis, b.result, b.plastic_serial, b.reason, b.answered_at,
    c.pan_sealed, c.expiry, c.product, c.profile, c.state, c.batch_id AS current_batch, h.given_name, h.surname, o.name AS company
FROM batch_card b JOIN card c ON c.id = b.card_id JOIN holder h ON h.id = c.holder_id JOIN company o ON o.id = h.company_id
WHERE b.batch_id = @batch_id ORDER BY b.card_id;

-- name: ForgetBatchDGIs :exec
UPDATE batch_card SET dgis = NULL WHERE batch_id = @batch_id;

-- name: PlasticsKnown :many
SELECT plastic_serial::text AS serial FROM batch_card WHERE plastic_serial = ANY (@serials::text[]);

-- name: AnswerBatchCards :many
UPDATE batch_card b SET result = n.result::bureau_result, plastic_serial = nullif(n.serial, ''), reason = n.reason, answered_at = @at
FROM (SELECT unnest(@cards::text[]) AS card_id, unnest(@results::text[]) AS result, unnest(@serials::text[]) AS serial,
        unnest(@reasons::text[]) AS reason) n
WHERE b.batch_id = @batch_id AND b.card_id = n.card_id AND (b.result IS NULL OR b.result = 'missing') RETURNING b.card_id;

-- name: DropUnsentCards :exec
DELETE FROM batch_card WHERE batch_id = @batch_id AND NOT card_id = ANY (@sent::text[]);

-- name: CountUnanswered :one
SELECT count(*) FROM batch_card b JOIN card c ON c.id = b.card_id AND c.batch_id = b.batch_id
WHERE b.batch_id = @batch_id AND (b.result IS NULL OR b.result = 'missing');

-- name: InsertReturnFile :exec
INSERT INTO return_file (id, batch_id, sha256, content, taken_by, taken_at)
VALUES (@id, @batch_id, @sha256, @content, @taken_by, @taken_at);

-- name: ReturnFile :one
SELECT id, batch_id, sha256, content, taken_by, taken_at, applied_at FROM return_file WHERE id = @id;

-- name: LockReturnFile :one
SELECT id, batch_id, sha256, content, taken_by, taken_at, applied_at FROM return_file WHERE id = @id FOR UPDATE;

-- name: SetReturnFileApplied :exec
UPDATE return_file SET applied_at = @applied_at WHERE id = @id;

-- name: CardsUnder :one
SELECT count(*) AS cards, coalesce(max(c.expiry), 'epoch')::date AS until
FROM card c LEFT JOIN card_keys k ON k.card_id = c.id
WHERE c.expiry >= @today AND c.state NOT IN ('ordered', 'approved', 'opposed', 'expired', 'cancelled', 'destroyed')
    AND coalesce(CASE @master::text WHEN 'ac' THEN k.ac WHEN 'smi' THEN k.smi ELSE k.smc END, 1) = @version::integer;
