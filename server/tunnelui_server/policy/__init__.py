"""Who may reach which route: routes, criteria and the one decision function that CONNECT and the portal share.

A rule is a value (`criteria`), a route holds rules (`route`), and `decide` turns a route and a person into a
`Decision` that carries the rule that decided and the reasons. Nothing here reads files, sockets or clocks.
"""

from tunnelui_server.policy.criteria import (
    AllowAnyUser,
    AllowClaim,
    AllowDomain,
    AllowGroup,
    AllowPublic,
    AllowUser,
    Criterion,
)
from tunnelui_server.policy.decide import Decision, decide, reachable_routes
from tunnelui_server.policy.route import Route, RouteTable
from tunnelui_server.policy.subject import Subject, groups_of, normalise_domain

__all__ = [
    "AllowAnyUser",
    "AllowClaim",
    "AllowDomain",
    "AllowGroup",
    "AllowPublic",
    "AllowUser",
    "Criterion",
    "Decision",
    "Route",
    "RouteTable",
    "Subject",
    "decide",
    "groups_of",
    "normalise_domain",
    "reachable_routes",
]
