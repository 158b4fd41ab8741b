"""Which file of tests a worker of pytest-xdist takes next: of those that are left the one that takes longest.

By itself it takes the file with the most tests. The few long ones would come last, and a worker would go on with one of
them alone.
"""

from __future__ import annotations

from collections import OrderedDict

__all__ = ["LONG", "LongestFirst", "seconds"]

LONG = {
    "tests/e2e/test_network.py": 90.0,
    "tests/e2e/test_screen.py": 100.0,
    "tests/tui/test_hostile_walk.py": 120.0,
    "tests/tui/test_accessible.py": 40.0,
    "tests/tui/test_growth.py": 30.0,
    "tests/cli/test_two_users.py": 27.0,
    "tests/engine/test_local.py": 15.0,
    "tests/agent/test_protocol.py": 15.0,
    "tests/transport/test_relay_limits.py": 20.0,
    "tests/auth/test_secret_service.py": 15.0,
}
"""Roughly how many seconds a file takes whose tests are much longer than their neighbours."""
_EACH = {"e2e": 2.5, "cli": 1.0, "tui": 0.4}
"""Seconds for each test of the others, by folder."""


def seconds(file: str, tests: int) -> float:
    """Roughly how long the *tests* of a *file* take."""
    return LONG.get(file, _EACH.get(file.removeprefix("tests/").partition("/")[0], 0.05) * tests)


class LongestFirst(OrderedDict[str, dict[str, bool]]):
    """The queue of a scheduler of pytest-xdist: files, and which of their tests are done."""

    def popitem(self, last: bool = True) -> tuple[str, dict[str, bool]]:
        file = max(self, key=lambda each: seconds(each, len(self[each])))
        return file, self.pop(file)
