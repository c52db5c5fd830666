"""One open vault: its local copy, its connections, and how a change becomes a commit."""
