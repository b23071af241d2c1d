"""Counts events in windows of time."""
