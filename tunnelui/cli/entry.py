"""Where the program begins: Ctrl-C ends it silently from here on, also while the rest is loaded.

Python would raise `KeyboardInterrupt` wherever loading has got to: a traceback for the person, or nothing at all, and a
lock that stays taken. So this module imports next to nothing.
"""

import signal

__all__ = ["main"]

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell may have it ignored
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def main() -> int:
    """Run the command line of this process and return the exit code."""
    from tunnelui.cli.main import main as run

    return run()
