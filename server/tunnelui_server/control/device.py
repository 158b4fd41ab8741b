"""A token for a machine without a browser, after RFC 8628.

::

    program   POST /.pomerium/api/v1/device          a short code for the person, a long one for the program
    person    GET  /.pomerium/device                 in any browser: sign in, then type the short code
              POST /.pomerium/device                 who you are, and where the program asked from
              POST /.pomerium/device/answer          yes or no
    program   POST /.pomerium/api/v1/device/token    asked again and again: pending, refused, or the token

Whoever talks a person into typing a code gets that person's token (RFC 8628, 5.4). So no address ever holds the code,
the page names the place that asked and says what a yes means, and ``device_login: false`` switches all of it off.

What waits between two requests lies sealed in the session store, so that any process may answer.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse

from tunnelui_server.control.audit import audit, client_address
from tunnelui_server.control.guard import is_own_form
from tunnelui_server.control.pages import error_page, page, read_form
from tunnelui_server.control.sign_in import DEVICE, SIGN_IN_FOR_DEVICE, foreign_form, see_other
from tunnelui_server.identity.throttle import AttemptThrottle

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from tunnelui_server.control.services import Services
    from tunnelui_server.sessions import Session

__all__ = ["DEVICE_ANSWER", "DEVICE_CODE", "DEVICE_POLL", "DevicePages"]

DEVICE_CODE: Final = "/.pomerium/api/v1/device"
DEVICE_POLL: Final = "/.pomerium/api/v1/device/token"
DEVICE_ANSWER: Final = "/.pomerium/device/answer"
_SECONDS: Final = 600.0
_INTERVAL: Final = 5
_LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ"  # RFC 8628, 6.1: no vowels, so no words
_LENGTH: Final = 8
_WRONG: Final = "There is no such code, or it is too old. Look at your terminal again."


class DevicePages:
    """The handlers, in the order of the drawing above."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._begun = AttemptThrottle(per_pair=20, pair_interval=6.0)
        self._polls = AttemptThrottle(per_pair=4, pair_interval=2.0, per_address=200, address_interval=0.05)
        self._guesses = AttemptThrottle(per_pair=5, pair_interval=15.0)

    async def begin(self, request: Request) -> Response:
        """Programs ask here for the two codes."""
        services = self._services
        if services.provider is None or not services.config.device_login:
            return error_page(request, 404, "Not found", "This server gives no codes for other devices.")
        address = client_address(request)
        if wait := self._begun.take("", address):
            return _error("slow_down", 429, retry_after=wait)
        until = services.clock() + _SECONDS
        identifier, code = secrets.token_urlsafe(16), "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
        waiting = services.sealer.seal("device-request", {"i": identifier, "a": address}, lifetime=_SECONDS)
        if not await services.store.claim(_request_key(code), until, waiting):
            return _error("slow_down", 429, retry_after=1.0)  # somebody has this very code: one chance in 10^10
        audit(request, "device code given")
        return JSONResponse(
            {
                "device_code": services.sealer.seal("device-code", {"i": identifier}, lifetime=_SECONDS),
                "user_code": _shown(code),
                "verification_uri": f"{services.origin(request)}{DEVICE}",
                "expires_in": int(_SECONDS),
                "interval": _INTERVAL,
            }
        )

    async def enter(self, request: Request) -> Response:
        """Ask for the code, of somebody who is signed in."""
        services = self._services
        if services.provider is None or not services.config.device_login:
            return error_page(request, 404, "Not found", "This server takes no codes.")
        if not services.is_home(request):
            return see_other(f"{services.origin(request)}{DEVICE}")
        session = await services.browser_session(request)
        return see_other(SIGN_IN_FOR_DEVICE) if session is None else self._code_page(session)

    async def entered(self, request: Request) -> Response:
        """Show what a yes would mean."""
        services = self._services
        form = await read_form(request)
        session = await self._own_session(request, form, "device")
        if session is None:
            return foreign_form(request)
        if wait := self._guesses.take(session.id, client_address(request)):
            return self._code_page(session, f"There were too many attempts. Wait {wait:.0f} seconds.", 429)
        code = _typed(form.get("code", ""))
        waiting = await self._waiting(code)
        if waiting is None:
            return self._code_page(session, _WRONG, 400)
        here = client_address(request)
        return page(
            "device_confirm.html",
            person=session.person,
            code=_shown(code),
            place=waiting["a"],
            here="" if here == waiting["a"] else here,
            csrf=services.sealer.form_token(_answer_form(code), session.id),
        )

    async def answered(self, request: Request) -> Response:
        """The person said yes or no. The first answer counts."""
        services = self._services
        form = await read_form(request)
        code = _typed(form.get("code", ""))
        session = await self._own_session(request, form, _answer_form(code))
        if session is None:
            return foreign_form(request)
        waiting = await self._waiting(code)
        agreed = form.get("answer") == "yes"
        if waiting is None:
            return self._code_page(session, _WRONG, 400)
        answer = services.sealer.seal("device-answer", {"s": session.id if agreed else ""}, lifetime=_SECONDS)
        if not await services.store.claim(_answer_key(waiting["i"]), services.clock() + _SECONDS, answer):
            return self._code_page(session, _WRONG, 400)
        audit(request, "device let in" if agreed else "device refused", session, place=waiting["a"])
        return page("device_done.html", agreed=agreed)

    async def token(self, request: Request) -> Response:
        """The program asks how it stands; the token goes out once. Errors as in RFC 8628, 3.5."""
        services = self._services
        code = services.sealer.open("device-code", (await read_form(request)).get("device_code", ""))
        if code is None or not services.config.device_login:
            return _error("expired_token")
        if wait := self._polls.take(code["i"], client_address(request)):
            return _error("slow_down", retry_after=wait)
        sealed = await services.store.claimed(_answer_key(code["i"]))
        if sealed is None:
            return _error("authorization_pending")
        answer = services.sealer.open("device-answer", sealed)
        if answer is None:
            return _error("expired_token")
        if not answer["s"]:
            return _error("access_denied")
        session = await services.store.get(answer["s"])
        until = services.clock() + 2 * _SECONDS
        if session is None or not await services.store.claim(f"device-token/{code['i']}", until):
            return _error("expired_token")
        audit(request, "token handed over", session, place="device")
        return JSONResponse({"access_token": services.signer.issue(session), "token_type": "Pomerium"})

    async def _own_session(self, request: Request, form: dict[str, str], name: str) -> Session | None:
        """The session of the browser that got the form *name* from us; None when it is not from our page."""
        services = self._services
        session = await services.browser_session(request) if services.config.device_login else None
        sound = session is not None and services.sealer.check_form_token(form.get("csrf", ""), name, session.id)
        own = services.is_home(request) and is_own_form(request, services.origin(request))
        return session if sound and own else None

    async def _waiting(self, code: str) -> dict[str, Any] | None:
        """Who waits for *code*; None when nobody does, or it has been answered."""
        sealed = await self._services.store.claimed(_request_key(code)) if len(code) == _LENGTH else None
        waiting = None if sealed is None else self._services.sealer.open("device-request", sealed)
        if waiting is None or await self._services.store.claimed(_answer_key(waiting["i"])) is not None:
            return None
        return waiting

    def _code_page(self, session: Session, problem: str = "", status: int = 200) -> Response:
        csrf = self._services.sealer.form_token("device", session.id)
        return page("device.html", status=status, person=session.person, problem=problem, csrf=csrf)


def _request_key(code: str) -> str:
    return f"device/{code}"


def _answer_key(identifier: str) -> str:
    return f"device-answer/{identifier}"


def _answer_form(code: str) -> str:
    """The name of the form for this very code: codes are guessed where guesses are slowed down, and nowhere else."""
    return f"device-answer/{code}"


def _shown(code: str) -> str:
    return f"{code[:4]}-{code[4:]}"


def _typed(text: str) -> str:
    """The code in what a person typed: small letters, blanks and dashes are all right."""
    return "".join(letter for letter in text[:64].upper() if letter in _LETTERS)


def _error(code: str, status: int = 400, *, retry_after: float = 0.0) -> Response:
    headers = {"retry-after": str(max(1, round(retry_after)))} if retry_after else {}
    return JSONResponse({"error": code}, status, headers=headers)
