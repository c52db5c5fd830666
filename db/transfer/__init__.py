"""Databases as SQL text: written out of a committed state, taken in as one commit."""
