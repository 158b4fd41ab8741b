"""The decision: route and person in, allow or deny out, with the rule that decided and the reasons.

Without a person the answer is a sign-in, also for a route that does not exist and for one without any rule: who has not
signed in learns nothing about the routes. Only a public route is open to everybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tunnelui_server.policy.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tunnelui_server.identity.person import Person
    from tunnelui_server.policy.route import Route

__all__ = ["Decision", "decide", "reachable_routes"]

_EVERYBODY: Final = Subject(user_id="")


@dataclass(frozen=True, slots=True)
class Decision:
    """``rule`` is the line of the configuration that decided, or ``no-route``, ``sign-in`` or ``default-deny``."""

    allow: bool
    needs_sign_in: bool
    rule: str
    reasons: tuple[str, ...]


def decide(route: Route | None, person: Person | None, groups: Mapping[str, frozenset[str]]) -> Decision:
    """Decide whether *person* (None: nobody has signed in) may use *route* (None: there is no such route).

    :param groups: the ``groups`` of the configuration, merged with the person's own.
    """
    criteria = route.criteria if route else ()
    for criterion in criteria:
        if not criterion.needs_person and criterion.holds(_EVERYBODY):
            return Decision(True, False, criterion.rule, (criterion.ok,))
    if person is None or not person.user_id:
        return Decision(False, True, "sign-in", ("user-unauthenticated",))
    if route is None:
        return Decision(False, False, "no-route", ("route-not-found",))
    subject = Subject.of(person, groups)
    for criterion in criteria:
        if criterion.needs_person and criterion.holds(subject):
            return Decision(True, False, criterion.rule, (criterion.ok,))
    failed = dict.fromkeys(criterion.failed for criterion in criteria if criterion.needs_person)
    return Decision(False, False, "default-deny", tuple(failed) or ("no-rule",))


def reachable_routes(
    routes: Iterable[Route], person: Person | None, groups: Mapping[str, frozenset[str]]
) -> tuple[Route, ...]:
    """Those of *routes* that *person* may use now, in their order, by the same decision as a CONNECT."""
    return tuple(route for route in routes if decide(route, person, groups).allow)
