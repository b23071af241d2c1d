"""StreamFlow: five services that carry events from clients to a dashboard."""

__version__ = "1.0.0"
