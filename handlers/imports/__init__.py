"""Files of rows on their way into a vault."""
