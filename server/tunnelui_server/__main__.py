"""``python -m tunnelui_server`` is ``tunnelui-server``."""

import sys

from tunnelui_server.entry import main

if __name__ == "__main__":
    sys.exit(main())
