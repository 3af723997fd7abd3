-- Why: a payday changes every row of a page in one transaction. With half of the page free the new versions stay on it, and
-- no index hears of them. Pages that are full already are not rewritten. Locks: a brief share-update lock.

ALTER TABLE year_to_date SET (fillfactor = 45);
