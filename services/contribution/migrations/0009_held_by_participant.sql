-- Why: a page of held lines asks what else is held of its participants, and a census fact what is held of a few; both looked
-- over everything that a lane holds. Locks: brief; few lines are held, unless a year has no limits.
SET LOCAL lock_timeout = '4s';
CREATE INDEX held_lines_by_participant ON held_lines (lane, participant_id);
