-- Why: after a restore from backup a service speaks in a new epoch; what its streams said in the old one beyond the
-- restored point is void, and a reader that is restored later still must be able to tell. Locks: none, a new table.

CREATE TABLE stream_ends (
    lane      integer NOT NULL,
    topic     text    NOT NULL,
    partition integer NOT NULL,
    epoch     integer NOT NULL,
    last_seq  bigint  NOT NULL,
    PRIMARY KEY (lane, topic, partition, epoch)
);
COMMENT ON TABLE stream_ends IS 'Epochs that a restore ended: records of such a stream beyond last_seq are void.';
