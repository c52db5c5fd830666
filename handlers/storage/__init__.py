"""`/{vault}/storage/v1`: files as supabase's storage clients ask for them. Loaded by the first request for one."""
