"""Policies that an operator states for a schema of the owner's own: what they say, what they mean, what they make."""
