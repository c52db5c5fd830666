"""A vault that leaves, arrives or ends: archives, plain exports, erasure."""
