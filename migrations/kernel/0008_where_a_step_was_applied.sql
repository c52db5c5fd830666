-- The bookmark of the commit a step was applied to, so that the state before it can be found again; NULL for the
-- steps a new vault begins with.
ALTER TABLE vaultry_migrations ADD COLUMN applied_to TEXT CHECK (length(applied_to) = 59);
