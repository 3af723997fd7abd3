"""The SQL that finds and sets where streams of a restored service end and where their readers go on."""

from __future__ import annotations

COUNT_SESSIONS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = ANY($1::text[]) AND pid <> ALL($2::int[])
  AND coalesce(backend_type, 'client backend') = 'client backend'"""
STREAMS = "SELECT lane, partition, epoch, next_seq FROM lane_streams WHERE topic = $1"
ENDS = "SELECT lane, partition, epoch, last_seq FROM stream_ends WHERE topic = $1"
RECEIVED = "SELECT lane, stream, epoch, seq FROM lane_received"
POSITIONS = "SELECT lane, next_offset FROM lane_inputs WHERE topic = $1"
MOVE_POSITION = "UPDATE lane_inputs SET next_offset = $3 WHERE topic = $1 AND lane = $2"
KNOW_STREAM = """
INSERT INTO lane_streams (lane, topic, partition) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"""
NEWEST_EPOCH = "SELECT coalesce(max(epoch), 1) FROM lane_streams"
END_EPOCHS = """
INSERT INTO stream_ends (lane, topic, partition, epoch, last_seq)
SELECT lane, topic, partition, ended.epoch, CASE WHEN ended.epoch = lane_streams.epoch THEN next_seq - 1 ELSE 0 END
FROM lane_streams, generate_series(lane_streams.epoch, $1::int - 1) AS ended(epoch)"""
BEGIN_EPOCH = "UPDATE lane_streams SET epoch = $1, next_seq = 1"
FENCE_LANES = "UPDATE lanes SET incarnation = incarnation + $1"
