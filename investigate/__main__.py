"""`python -m investigate`: the command, where its script is not on the path."""

import sys

from investigate.cli import main

if __name__ == "__main__":
    sys.exit(main())
