"""What a person must be told of: rules, the watch, channels."""
