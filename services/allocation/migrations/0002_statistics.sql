-- Why: see the frame's migration of this name. Locks: a brief share-update lock on each table that is altered.

SELECT skip_statistics_of_long_columns();
