"""Raw SQL that somebody sent: split, bound, judged, run within limits, and told in the words SQLite has for it."""
