"""Upkeep: what a pipeline does beside its receipts' way: recovery, replay, retention, the mapping guard, the clock."""
