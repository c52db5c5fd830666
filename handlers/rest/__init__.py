"""Rows and verbs over HTTP, under `/{vault}/rest/v1`."""
