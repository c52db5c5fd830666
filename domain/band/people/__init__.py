"""The people of a band: users and their roles, members, instruments and sections."""
