"""Reports from the journal: days, gaps, stores, plans, differences."""
