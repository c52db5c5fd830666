"""Seasons: named periods that are known by their first day. Knows SQL; not HTTP."""
