"""From a source to the journal."""
