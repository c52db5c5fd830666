"""Upkeep of vaults: what a job is, the declared jobs, and the rounds that run them."""
