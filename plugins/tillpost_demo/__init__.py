"""A day of receipts through an outage, played against the sandbox from outside, and judged."""

from tillpost_demo.demo import run

__all__ = ["run"]
