"""Speed as ratios measured side by side in one run. Asserts nothing; `make bench` prints one table."""
