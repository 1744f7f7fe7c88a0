"""Alerts: the rules, their evaluation, the channels of notices."""
