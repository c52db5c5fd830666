"""What the band owes its people: forgetting, disclosing, letting go in time."""
