"""Tests and benchmark on a machine with a GPU, and the records of them."""
