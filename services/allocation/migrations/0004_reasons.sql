-- Why: a resend of a refused request is answered with the codes of the first answer, which nobody may work out again: what
-- was unknown then may be known by now. Locks: a brief exclusive lock on identities; nothing is rewritten.
SET LOCAL lock_timeout = '4s';

ALTER TABLE identities ADD COLUMN reason text[];
COMMENT ON COLUMN identities.reason IS 'Code and detail of a request that was refused or is held; null when it was accepted.';
