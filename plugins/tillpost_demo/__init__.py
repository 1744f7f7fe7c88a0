"""Runs a day of receipts through an outage against the sandbox, and compares what arrived."""

from tillpost_demo.demo import run

__all__ = ["run"]
