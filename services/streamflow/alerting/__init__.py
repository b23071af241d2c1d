"""Watches the windows and raises alerts."""
