"""Compiled writings of the clauses: one package for each target, with the function names of the specification."""
