"""``python -m tunnelui`` is the same as ``tunnelui``."""

import sys

from tunnelui.cli.entry import main

if __name__ == "__main__":
    sys.exit(main())
