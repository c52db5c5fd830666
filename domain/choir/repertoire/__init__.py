"""What is sung in a season or at an event: works in order, and the editions picked. Knows SQL; not HTTP."""
