"""Benchmarks: ``python -m validation.bench tile``."""
