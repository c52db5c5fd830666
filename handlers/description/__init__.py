"""The description of everything that is served: OpenAPI, and the page that shows it. Loaded by its first request."""
