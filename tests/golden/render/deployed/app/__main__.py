"""Nothing but a place in an image."""
