"""Takes events in."""
