"""HTTP without its routes: a request and its answer as plain values, who is calling, what every answer shares."""
