-- name: BeginOnce :execrows
-- One that nobody knows; one that is forgotten; the same one, whose process died before
-- it changed anything.
INSERT INTO request_once AS r (service, key, mark, begun_at, acted) VALUES (@service, @key, @mark, @now::timestamptz, @acted)
ON CONFLICT (service, key) DO UPDATE
SET mark = excluded.mark, begun_at = excluded.begun_at, acted = excluded.acted, made = '', status = 0, type = '', answer = NULL
WHERE r.begun_at <= @forgotten::timestamptz
    OR r.mark = excluded.mark AND r.status = 0 AND NOT r.acted AND r.begun_at <= @dead::timestamptz;

-- name: Once :one
SELECT mark, begun_at, acted, made, status, type, answer FROM request_once WHERE service = @service AND key = @key;

-- name: ActedOnce :execrows
-- Not of a process that was taken for dead, whose request another has begun.
UPDATE request_once SET acted = true, made = @made WHERE service = @service AND key = @key AND begun_at = @begun_at;

-- name: KeepAnswer :exec
UPDATE request_once SET status = @status, type = @type, answer = @answer WHERE service = @service AND key = @key AND begun_at = @begun_at AND status = 0;

-- name: ForgetOnce :exec
-- One that acts in several transactions is marked from its beginning.
DELETE FROM request_once WHERE service = @service AND key = @key AND begun_at = @begun_at AND NOT acted;

-- name: ForgetRequests :exec
DELETE FROM request_once WHERE begun_at <= @before;
