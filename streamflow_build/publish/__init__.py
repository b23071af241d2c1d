"""Images into a registry, tested tags first and floating tags last: the runs of ``push`` and ``promote``."""
