"""Benchmarks: ``python -m validation.bench tile`` and ``python -m validation.bench estimator``."""
