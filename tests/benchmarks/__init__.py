"""Tillpost beside its bare limits and beside what could be picked instead, in one run: `python -m tests.benchmarks`."""
