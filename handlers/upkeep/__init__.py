"""What runs without being asked: rounds of maintenance, deliveries, restore drills."""
