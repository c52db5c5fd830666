"""Forgetting one person for good: what is about somebody, what of it the audit log may tell, who stays forgotten."""
