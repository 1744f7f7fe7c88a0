"""What the journal tells people: days, gaps, stores, plans, differences."""
