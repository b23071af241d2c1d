"""Runs the service: `python -m streamflow.dashboard`."""

import sys

from streamflow.dashboard.app import SERVICE, Settings, create_app
from streamflow.shared.server import run

if __name__ == "__main__":
    sys.exit(run(SERVICE, Settings, create_app))
