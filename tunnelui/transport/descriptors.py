"""How many descriptors this process may have open: two for each connection that it carries."""

from __future__ import annotations

import contextlib

__all__ = ["allow_descriptors"]


def allow_descriptors(wanted: int) -> int:
    """Raise this process's own limit to *wanted*, as far as the system lets it, and return what it is then.

    The usual limit of 1,024 is there for programs that use select(2). Windows has no such limit: there, *wanted* is
    returned.
    """
    try:
        import resource
    except ImportError:
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return soft
