"""The audit log of a vault: every change of a row, chained so that nobody can rewrite it unseen."""
