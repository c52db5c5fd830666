"""Resources over PostgREST's conventions: text > typed request > typed plan > SQL. Knows declarations; no charter."""
