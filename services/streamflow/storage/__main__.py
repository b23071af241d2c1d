"""Runs the service: `python -m streamflow.storage`."""

import sys

from streamflow.shared.server import run
from streamflow.storage.app import SERVICE, Settings, create_app

if __name__ == "__main__":
    sys.exit(run(SERVICE, Settings, create_app))
