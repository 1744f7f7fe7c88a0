"""What tests share: real servers as processes, and real exports."""
