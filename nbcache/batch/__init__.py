"""Parameter sweeps: ordered sets of calls, computed once, here or on a cluster."""
