-- Why: a date closes over a fill that is parked; the balances of those it names are not final then. Locks: none of rows.

COMMENT ON COLUMN balances.cents IS 'Exact value at the date''s prices, rounded half-up once; NULL while a held fund has no final price or a fill that names the participant is parked.';
