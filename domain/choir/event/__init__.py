"""Events and who comes to them: planned, recorded, counted. Knows SQL; not HTTP."""
