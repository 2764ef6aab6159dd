"""Benchmarks: nbcache beside its peers, in one run."""
