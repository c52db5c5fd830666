"""The choir charter: people, library and invitations of choirs and their associations. Knows SQL; not HTTP or S3."""
