"""Fuzzing of the adapters: samples changed by their structure, and what must hold of every answer.

`python -m tests.fuzzing --help` runs it by hand, for hours if wanted. What it finds becomes a file in `corpus/`.
"""
