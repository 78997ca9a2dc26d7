-- +goose Up

-- A list's bytes in pieces, each a row that fills a page of the table: they are
-- written in one stream and read some at a time, so that a list of fifty megabytes
-- is nowhere one value.
CREATE TABLE crl_piece (
    issuer_id text NOT NULL,
    shard     integer NOT NULL,
    number    bigint NOT NULL,
    delta     boolean NOT NULL,
    start     integer NOT NULL, -- where the piece begins in its list
    der       bytea NOT NULL,
    PRIMARY KEY (issuer_id, shard, number, delta, start),
    FOREIGN KEY (issuer_id, shard, number) REFERENCES crl
);
ALTER TABLE crl_piece ALTER COLUMN der SET STORAGE PLAIN; -- in the row itself

-- The lists' lengths; NULL of one whose bytes are forgotten, or that is not
-- published yet. A delta's is 0 where there was none.
ALTER TABLE crl ADD COLUMN full_size integer, ADD COLUMN delta_size integer;
UPDATE crl SET full_size = octet_length(full_der), delta_size = coalesce(octet_length(delta_der), 0) WHERE full_der IS NOT NULL;

INSERT INTO crl_piece (issuer_id, shard, number, delta, start, der)
SELECT issuer_id, shard, number, false, start, substring(full_der FROM start + 1 FOR 7900)
FROM crl, generate_series(0, full_size - 1, 7900) AS start WHERE full_size IS NOT NULL;
INSERT INTO crl_piece (issuer_id, shard, number, delta, start, der)
SELECT issuer_id, shard, number, true, start, substring(delta_der FROM start + 1 FOR 7900)
FROM crl, generate_series(0, delta_size - 1, 7900) AS start WHERE delta_size > 0;

ALTER TABLE crl DROP COLUMN full_der, DROP COLUMN delta_der;
