"""What anybody may read or ask for without signing in, across the vaults of the platform."""
