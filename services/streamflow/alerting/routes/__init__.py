"""What alerting answers."""
