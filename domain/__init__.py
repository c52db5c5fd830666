"""Charters: what an organisation may do, as data plus verbs. Knows the engine; not HTTP or S3."""
