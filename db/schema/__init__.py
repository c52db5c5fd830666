"""What a vault's database is made of: migrations and their ledger, tables, constraints."""
