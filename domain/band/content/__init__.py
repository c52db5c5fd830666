"""What the band publishes: web pages with their versions, announcements, and messages among its people."""
