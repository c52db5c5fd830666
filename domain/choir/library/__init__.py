"""The shelves of a choir's library: paper copies, loans, reports, complaints. Knows editions; not events."""
