"""Stand-in models that take a fixed time, so that a benchmark measures the server and not a network."""
