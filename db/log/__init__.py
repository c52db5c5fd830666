"""The log of one vault: its file format, its objects, how they are fetched, followed and kept short."""
