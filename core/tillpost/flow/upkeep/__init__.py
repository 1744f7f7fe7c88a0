"""What keeps a pipeline in order beside its steps."""
