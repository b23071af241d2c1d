"""Runs the service: `python -m streamflow.alerting`."""

import sys

from streamflow.alerting.app import SERVICE, Settings, create_app
from streamflow.shared.server import run

if __name__ == "__main__":
    sys.exit(run(SERVICE, Settings, create_app))
