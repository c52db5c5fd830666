"""Work on many vaults at once: where they stand, rehearsing a migration, rolling it out, taking it back."""
