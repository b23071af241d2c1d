"""Builds, tests and releases the container images of a platform described by one file, streamflow.yaml."""

__version__ = "0.1.0"
