"""Tillpost beside its bare limits and beside what a user would pick instead, in one run: `python -m tests.benchmarks`."""
