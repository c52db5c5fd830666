"""Migrations that somebody brings along with a schema of his own, in the folders of the tools people use."""
