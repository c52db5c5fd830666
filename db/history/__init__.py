"""A vault's past: looked at, compared, restored, and single changes of it undone."""
