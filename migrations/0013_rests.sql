-- +goose Up

-- Who has taken on something that waits for staff: a work item, or what failed
-- itself (a failed order has no work item, it is one). What waits is told by
-- its own state; a claim that is older is of an earlier failure.
CREATE TABLE work_claim (
    item_id    text PRIMARY KEY,
    staff      text NOT NULL,
    claimed_at timestamptz NOT NULL
);
