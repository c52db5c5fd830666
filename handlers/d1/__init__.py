"""`/client/v4`: the face that Cloudflare's D1 clients know. Parses, authenticates, calls, answers in their envelope."""
