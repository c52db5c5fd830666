"""`/{vault}/auth/v1`: signing in, sessions, the signed-in user, and operators' calls, as supabase clients make them.

One file for each noun. Every rule about accounts, codes and sessions is in db/registry; here requests are read, the
steps of a sign-in put in their order, and answers given the shape that published clients parse.
"""
