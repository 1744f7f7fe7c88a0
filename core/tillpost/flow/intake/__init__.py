"""Intake: from a source to the journal."""
