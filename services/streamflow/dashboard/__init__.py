"""Shows the live figures and open alerts."""
