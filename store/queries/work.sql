-- name: InsertWorkItem :exec
INSERT INTO work_item (id, state, thing, thing_id, card_id, why, opened_at)
VALUES (@id, @state, @thing, @thing_id, @card_id, @why, @opened_at);

-- name: LockWorkItem :one
SELECT id, state, thing, thing_id, card_id, why, opened_at, done_at, outcome FROM work_item WHERE id = @id FOR UPDATE;

-- name: WorkItemsOn :one
SELECT count(*) FROM work_item WHERE thing_id = @thing_id;

-- Everything that waits for a member of staff: work items that are open, and what
-- waits by its own state (flags as in OrderFlags). An order that failed because
-- its card or certificate was stopped waits for nobody. A claim from before it
-- waited is none.
-- name: OpenWork :many
WITH waits AS (
    SELECT CASE w.thing WHEN 'return file' THEN 'return_file' WHEN 'revocation' THEN 'revocation_alarm' WHEN 'certificate' THEN 'refused_certificate'
            WHEN 'correction' THEN 'corrected_data' WHEN 'means' THEN 'copied_passkey' ELSE 'returned_mail' END AS kind, w.id, w.thing, w.thing_id AS on_id,
        coalesce(w.card_id, '') AS card_id, w.why, w.opened_at AS since
    FROM work_item w WHERE w.state = 'open'
    UNION ALL
    SELECT 'unconfirmed_caller', r.id, 'revocation request', r.id, '', r.act || ' of certificate ' || r.certificate_id || ': ' || r.why, r.recorded_at
    FROM revocation_request r WHERE r.state = 'unconfirmed'
    UNION ALL
    SELECT 'fraud_report', f.id, 'fraud report', f.id, '', f.kind || CASE f.client_id WHEN '' THEN '' ELSE ' of ' || f.client_id || ' ' || f.user_number END, f.received_at
    FROM fraud_report f WHERE f.state IN ('received', 'in_review')
    UNION ALL
    SELECT 'stop_to_lift', s.id, 'emergency stop', s.id, '', s.lift_by || ' asks to lift it: ' || s.lift_why, s.updated_at
    FROM emergency_stop s WHERE s.state = 'lifting'
    UNION ALL
    SELECT 'failed_order', o.id, 'order', o.id, coalesce(c.id, o.target_card, ''), o.failure, o.updated_at
    FROM orders o LEFT JOIN card c ON c.order_id = o.id
    WHERE o.state = 'failed' AND (c.state IN ('made', 'in_house') OR o.kind IN ('pin_counter_reset', 'pin_change'))
    UNION ALL
    SELECT 'failed_letter', l.id, 'PIN letter', l.id, l.card_id, l.failure, coalesce(
        (SELECT max(a.at) FROM audit_entry a WHERE a.thing_id = l.id AND a.event = 'fail'), l.created_at)
    FROM pin_letter l WHERE l.state = 'failed'
    UNION ALL
    SELECT 'failed_notice', n.id, 'notice', n.id, '', 'the holder was not told that ' || coalesce('certificate ' || n.certificate_id, 'what the bank has on record') || ' is ' || n.kind || ': ' || n.failure,
        n.updated_at
    FROM notice n WHERE n.state = 'failed'
    UNION ALL
    SELECT 'stopped_certificate', n.id, 'certificate', n.id, '', n.stopped, n.updated_at
    FROM certificate n WHERE n.state = 'stopped'
    UNION ALL
    SELECT 'missing_card', c.id, 'card', c.id, c.id, 'batch ' || b.batch_id || ': the bureau misses it'
        || CASE b.reason WHEN '' THEN '' ELSE ': ' || b.reason END, coalesce(b.answered_at, c.updated_at)
    FROM card c JOIN batch_card b ON b.batch_id = c.batch_id AND b.card_id = c.id
    WHERE c.state = 'with_bureau' AND b.result = 'missing'
    UNION ALL
    SELECT 'unfinished_chip', h.order_id, 'order', h.order_id, h.card_id, 'begun at terminal ' || h.terminal || ' and not finished'
        || CASE WHEN h.serial IS NULL THEN '' ELSE ', chip ' || h.serial END, h.begun_at
    FROM chip h JOIN card c ON c.id = h.card_id WHERE h.result IS NULL AND c.state = 'writing'
    UNION ALL
    SELECT 'no_signing_ca', i.id, 'issuer', i.id, '', 'it was revoked, and no CA signs certificates: orders wait', i.state_since
    FROM issuer i WHERE i.state = 'revoked' AND i.online AND NOT EXISTS (SELECT 1 FROM issuer n WHERE n.state = 'signing' AND n.online)
    UNION ALL
    SELECT 'flagged_order', o.id, 'order', o.id, coalesce(o.target_card, ''), concat_ws(', ',
        CASE WHEN EXISTS (SELECT 1 FROM orders p
            WHERE p.holder_id = o.holder_id AND p.id <> o.id AND p.kind IN ('new_card', 'replacement_card', 'renewal', 'pin_reissue')
                AND p.state NOT IN ('refused', 'cancelled') AND (p.created_at, p.id) < (o.created_at, o.id)
                AND p.created_at > o.created_at - make_interval(days => @card_days)) THEN 'second_card' END,
        CASE WHEN h.address_changed_at > o.created_at - make_interval(days => @address_days) THEN 'address_changed' END), o.updated_at
    FROM orders o JOIN holder h ON h.id = o.holder_id
    WHERE o.state = 'submitted' AND o.kind IN ('new_card', 'replacement_card', 'renewal', 'pin_reissue')
)
SELECT w.kind::text AS kind, w.id::text AS id, w.thing::text AS thing, w.on_id::text AS on_id, w.card_id::text AS card_id, w.why::text AS why,
    w.since::timestamptz AS since, coalesce(c.staff, '')::text AS claimed_by
FROM waits w LEFT JOIN work_claim c ON c.item_id = w.id AND c.claimed_at >= w.since
WHERE (w.kind <> 'flagged_order' OR w.why <> '') AND (@kind::text = '' OR w.kind = @kind) AND (@id::text = '' OR w.id = @id)
    AND w.since <= @before::timestamptz AND (w.since, w.id::text) > (@after_time::timestamptz, @after_id::text)
ORDER BY w.since, w.id LIMIT @max_rows;

-- name: ClaimWork :execrows
INSERT INTO work_claim AS c (item_id, staff, claimed_at) VALUES (@item_id, @staff, @claimed_at)
ON CONFLICT (item_id) DO UPDATE SET staff = excluded.staff, claimed_at = excluded.claimed_at
WHERE c.claimed_at < @since::timestamptz OR c.staff = excluded.staff;

-- name: DropClaim :execrows
DELETE FROM work_claim WHERE item_id = @item_id AND staff = @staff;

-- name: SetWorkState :execrows
UPDATE work_item SET state = @to_state WHERE id = @id AND state = @from_state;

-- name: SetWorkDone :exec
UPDATE work_item SET done_at = @done_at, outcome = @outcome WHERE id = @id;

-- name: OpenWorkOn :many
SELECT thing_id FROM work_item WHERE state = 'open' AND thing = @thing;
