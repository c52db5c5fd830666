"""Doors: Lambda entries, HTTP routes, command line. Parse, authenticate, call, answer; no SQL, no business rule."""
