"""The band's calendar: events and venues, what is played, what is said about it, who was there."""
