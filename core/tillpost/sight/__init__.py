"""What a journal tells of the line, for people and machines: nothing here moves a receipt."""
