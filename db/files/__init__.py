"""Files of a vault: rows that name them, contents in the store, rules for both. Knows no charter and no HTTP."""
