"""The steps a receipt walks, one file a step, and the worker that keeps them going."""
