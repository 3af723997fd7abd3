-- The frame's own tables: who owns a lane, what it has read, what it must still send, where a day stands.
-- Why: everything that makes a poll exactly-once is in the same transaction as the money. Locks: none, new tables.

CREATE FUNCTION sums_to_zero(amounts bigint[]) RETURNS boolean LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    total bigint := 0;  -- Half the cost of numeric; a sum beyond its range is an error, so such a row is refused as well.
    amount bigint;
BEGIN
    FOREACH amount IN ARRAY amounts LOOP
        total := total + amount;
    END LOOP;
    RETURN total = 0;
END $$;

CREATE TABLE lanes (
    lane          integer PRIMARY KEY CHECK (lane >= 0),
    incarnation   bigint      NOT NULL DEFAULT 0,
    generation    bigint      NOT NULL DEFAULT -1,
    owner         text        NOT NULL DEFAULT '',
    next_entry    bigint      NOT NULL DEFAULT 1,
    recorded_at   timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 50);
COMMENT ON TABLE lanes IS 'A lane is one partition number over all input topics; only its owner writes its rows.';
COMMENT ON COLUMN lanes.recorded_at IS 'Append time of the newest causing record, monotone.';

CREATE TABLE lane_inputs (
    lane          integer NOT NULL REFERENCES lanes,
    topic         text    NOT NULL,
    next_offset   bigint  NOT NULL DEFAULT 0,
    first_cut     date,
    last_cut      date,
    first_value_cut date,
    last_value_cut  date,
    markers       jsonb   NOT NULL DEFAULT '{}',
    PRIMARY KEY (lane, topic)
) WITH (fillfactor = 50);
COMMENT ON COLUMN lane_inputs.markers IS 'All-to-all inputs only: the last cut marker seen from each sending lane.';

CREATE TABLE lane_received (
    lane    integer NOT NULL REFERENCES lanes,
    stream  text    NOT NULL,
    epoch   integer NOT NULL,
    seq     bigint  NOT NULL,
    PRIMARY KEY (lane, stream)
) WITH (fillfactor = 50);

CREATE TABLE lane_streams (
    lane      integer NOT NULL REFERENCES lanes,
    topic     text    NOT NULL,
    partition integer NOT NULL,
    epoch     integer NOT NULL DEFAULT 1,
    next_seq  bigint  NOT NULL DEFAULT 1,
    PRIMARY KEY (lane, topic, partition)
) WITH (fillfactor = 50);

CREATE TABLE outbox (
    lane       integer NOT NULL,
    topic      text    NOT NULL,
    partition  integer NOT NULL,
    epoch      integer NOT NULL,
    seq        bigint  NOT NULL,
    records    integer NOT NULL CHECK (records > 0),
    payload    bytea   NOT NULL,
    PRIMARY KEY (lane, topic, partition, epoch, seq)
);
-- Payloads are short-lived and already small: do not spend CPU on compressing them.
ALTER TABLE outbox ALTER COLUMN payload SET STORAGE EXTERNAL;
COMMENT ON TABLE outbox IS 'One row per poll and output partition: packed records, published in seq order, removed as a prefix.';

CREATE TABLE lane_days (
    lane       integer     NOT NULL,
    cycle      text        NOT NULL,
    trade_date date        NOT NULL,
    read_at    timestamptz NOT NULL,
    closed_at  timestamptz,
    totals     jsonb       NOT NULL DEFAULT '{}',
    PRIMARY KEY (cycle, trade_date, lane)
);
CREATE TABLE decided_days (
    cycle      text        NOT NULL,
    trade_date date        NOT NULL,
    decided_at timestamptz NOT NULL,
    PRIMARY KEY (cycle, trade_date)
);
CREATE TABLE upstream_totals (
    lane       integer NOT NULL,
    topic      text    NOT NULL,
    trade_date date    NOT NULL,
    totals     jsonb   NOT NULL,
    PRIMARY KEY (trade_date, lane, topic)
);
COMMENT ON TABLE upstream_totals IS 'What the marker of an internal log said about the stages before.';

CREATE TABLE tasks (
    task        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lane        integer     NOT NULL,
    cycle       text        NOT NULL,
    trade_date  date        NOT NULL,
    kind        text        NOT NULL,
    body        jsonb       NOT NULL,
    position    jsonb       NOT NULL DEFAULT 'null',
    recorded_at timestamptz NOT NULL
);
CREATE INDEX tasks_by_lane ON tasks (lane, task);
COMMENT ON TABLE tasks IS 'What the builder asks lane owners to post; done in slices, removed when done.';

CREATE TABLE fact_topics (
    topic          text PRIMARY KEY,
    incarnation    bigint NOT NULL DEFAULT 0,
    generation     bigint NOT NULL DEFAULT -1,
    next_offset    bigint NOT NULL DEFAULT 0,
    first_cut      date,
    last_cut       date,
    first_value_cut date,
    last_value_cut date,
    version        bigint NOT NULL DEFAULT 0,
    recorded_at    timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 50);
COMMENT ON COLUMN fact_topics.version IS 'Grows with each stored fact; lanes reload what is newer than what they know.';

CREATE TABLE facts (
    topic          text   NOT NULL,
    key            text   NOT NULL,
    version        bigint NOT NULL,
    received_for   date   NOT NULL,
    effective_from date   NOT NULL,
    recorded_at    timestamptz NOT NULL,
    cause          text   NOT NULL,
    body           jsonb  NOT NULL,
    PRIMARY KEY (topic, key, version)
);
CREATE INDEX facts_by_version ON facts (topic, version);
COMMENT ON TABLE facts IS 'A first fact governs the date it was received for; a changed one the dates after it.';

CREATE TABLE identities (
    bucket      smallint NOT NULL,
    identity    uuid     NOT NULL,
    body_hash   uuid     NOT NULL,
    trade_date  date     NOT NULL,
    entry       bigint   NOT NULL,
    status      "char"   NOT NULL,
    accepted    bigint   NOT NULL DEFAULT 0 CHECK (accepted >= 0),
    rejected    bigint   NOT NULL DEFAULT 0 CHECK (rejected >= 0),
    PRIMARY KEY (bucket, identity)
) PARTITION BY RANGE (bucket);
DO $$ BEGIN
    FOR part IN 0..7 LOOP
        EXECUTE format('CREATE TABLE identities_%s PARTITION OF identities FOR VALUES FROM (%s) TO (%s)',
                       part, part * 512, (part + 1) * 512);
    END LOOP;
END $$;
COMMENT ON TABLE identities IS 'Each public request once: participant, ce_source, ce_id as 16 bytes, with its decision.';

CREATE TABLE dead_letters (
    dead_letter bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lane        integer     NOT NULL,
    topic       text        NOT NULL,
    partition   integer     NOT NULL,
    record_offset bigint    NOT NULL,
    code        text        NOT NULL,
    detail      text        NOT NULL,
    trade_date  date        NOT NULL,
    recorded_at timestamptz NOT NULL,
    key         bytea,
    value       bytea,
    headers     json        NOT NULL,
    cents       bigint      NOT NULL DEFAULT 0,
    published   boolean     NOT NULL DEFAULT false,
    replayed_at timestamptz,
    replayed_by text
);
CREATE UNIQUE INDEX dead_letters_by_record ON dead_letters (topic, partition, record_offset);
COMMENT ON TABLE dead_letters IS 'The copy that lasts of every record that broke the contract; the .dlq topic is transport.';
COMMENT ON COLUMN dead_letters.headers IS 'Names and Latin-1 bytes. Not jsonb: that refuses a NUL, which a binary header may hold.';

CREATE TABLE parked (
    lane        integer     NOT NULL,
    key         text        NOT NULL,
    number      bigint      NOT NULL,
    topic       text        NOT NULL,
    record_offset bigint    NOT NULL,
    trade_date  date        NOT NULL,
    recorded_at timestamptz NOT NULL,
    code        text        NOT NULL,
    detail      text        NOT NULL,
    cents       bigint      NOT NULL DEFAULT 0,
    item        bytea       NOT NULL,
    PRIMARY KEY (lane, key, number)
);
COMMENT ON TABLE parked IS 'A participant whose event could not be applied, with what followed for him, in order.';

CREATE TABLE input_counts (
    lane       integer NOT NULL,
    topic      text    NOT NULL,
    trade_date date    NOT NULL,
    outcome    text    NOT NULL,
    records    bigint  NOT NULL,
    PRIMARY KEY (trade_date, topic, lane, outcome)
) WITH (fillfactor = 50);
COMMENT ON TABLE input_counts IS 'Public offsets between two cuts, by what became of them; offsets = the sum of the others.';

-- The services' journals: one shape, four owners. Range-partitioned by business date so that old years can be moved away.
CREATE FUNCTION create_journal() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    CREATE TABLE journal (
        trade_date   date        NOT NULL,
        lane         integer     NOT NULL,
        entry        bigint      NOT NULL,
        recorded_at  timestamptz NOT NULL,
        kind         text        NOT NULL,
        bucket       smallint    NOT NULL,
        plan_id      text        NOT NULL,
        participant_id text,
        cause        uuid        NOT NULL,
        rule_set     text        NOT NULL,
        trace        text,
        reverses     uuid,
        accounts     text[]      NOT NULL,
        amounts      bigint[]    NOT NULL,
        detail       jsonb,
        PRIMARY KEY (trade_date, lane, entry),
        CHECK (cardinality(accounts) = cardinality(amounts)),
        CHECK (sums_to_zero(amounts))
    ) PARTITION BY RANGE (trade_date);
    CREATE TABLE journal_before PARTITION OF journal FOR VALUES FROM (MINVALUE) TO ('2022-01-01');
    FOR year IN 2022..2032 LOOP
        EXECUTE format('CREATE TABLE journal_%s PARTITION OF journal FOR VALUES FROM (%L) TO (%L)',
                       year, make_date(year, 1, 1), make_date(year + 1, 1, 1));
    END LOOP;
    CREATE TABLE journal_later PARTITION OF journal DEFAULT;
END $$;
