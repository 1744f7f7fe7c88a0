"""Counts and durations for people."""

from __future__ import annotations

from datetime import timedelta


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 receipt`, `2 receipts`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def duration_text(duration: timedelta) -> str:
    """A duration: `1h 5m`, `40s`."""
    seconds = round(duration.total_seconds())
    parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "m"), (seconds % 60, "s")]
    return " ".join(f"{count}{unit}" for count, unit in parts if count) or f"{duration.total_seconds():g}s"
