"""Tenants as a whole: made, moved, looked back on, forgotten, and what of their schema is their own."""
