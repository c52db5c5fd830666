"""What a vault offers, described: tables and verbs as a caller may use them, and the forms that takes as text.

Knows declarations and schemas; no charter, and nothing of HTTP but what PostgREST's description says of it.
"""
