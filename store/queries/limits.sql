-- name: TakeCalls :one
-- What others took of it in this minute, with what is taken now.
INSERT INTO call_count AS c (subject, minute, taken) VALUES (@subject, @minute, @calls)
ON CONFLICT (subject) DO UPDATE
SET taken = CASE WHEN c.minute = excluded.minute THEN c.taken ELSE 0 END + excluded.taken, minute = excluded.minute
RETURNING taken;

-- name: ProofCounts :many
SELECT subject, began, proofs, refused FROM proof_count
WHERE service = @service AND subject IN ('', @subject::text) AND began > @since;

-- name: CountProofs :exec
INSERT INTO proof_count AS c (service, subject, began, proofs, refused)
SELECT @service, n.subject, @now, n.proofs, @refused
FROM (SELECT unnest(@subjects::text[]) AS subject, unnest(@proofs::bigint[]) AS proofs) n
ON CONFLICT (service, subject) DO UPDATE SET
    began = CASE WHEN c.began > @since THEN c.began ELSE excluded.began END,
    proofs = CASE WHEN c.began > @since THEN c.proofs ELSE 0 END + excluded.proofs,
    refused = CASE WHEN c.began > @since THEN c.refused ELSE 0 END + excluded.refused;

-- name: ForgetProofCounts :exec
DELETE FROM proof_count WHERE began <= @before;

-- name: LimitService :exec
UPDATE relying_service SET calls_a_minute = @calls WHERE id = @id;
