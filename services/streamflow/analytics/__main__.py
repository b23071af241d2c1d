"""Runs the service: `python -m streamflow.analytics`."""

import sys

from streamflow.analytics.app import SERVICE, Settings, create_app
from streamflow.shared.server import run

if __name__ == "__main__":
    sys.exit(run(SERVICE, Settings, create_app))
