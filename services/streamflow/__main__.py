"""`python -m streamflow`: the program `streamflow`."""

import sys

from streamflow.cli import main

if __name__ == "__main__":
    sys.exit(main())
