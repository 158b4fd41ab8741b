"""What a person, or their program, can ask about themselves; and signing out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse, RedirectResponse

from tunnelui_server.control.audit import audit
from tunnelui_server.control.guard import is_own_form
from tunnelui_server.control.pages import error_page, page, read_form, wants_html
from tunnelui_server.control.services import bearer_token
from tunnelui_server.control.sign_in import HOME, SIGN_IN
from tunnelui_server.policy.decide import reachable_routes
from tunnelui_server.policy.subject import groups_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from tunnelui_server.control.services import Services
    from tunnelui_server.policy.route import Route
    from tunnelui_server.sessions import Session

__all__ = ["AccountPages"]

SIGN_OUT: Final = "/.pomerium/sign_out"


class AccountPages:
    """The handlers behind ``/.pomerium/``, ``user``, ``api/v1/routes`` and ``sign_out``."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def home(self, request: Request) -> Response:
        """Who you are and what you may reach."""
        services = self._services
        if not services.is_home(request):
            return RedirectResponse(f"{services.origin(request)}{HOME}", 303)
        session = await services.browser_session(request)
        if session is None:
            return page("welcome.html", can_sign_in=services.provider is not None)
        return page(
            "home.html",
            person=session.person,
            expires_at=session.expires_at,
            hours_left=max(0.0, (session.expires_at - services.clock()) / 3600),
            groups=sorted(groups_of(session.person, services.config.groups)),
            routes=[_route_item(route) for route in self._routes(session)],
        )

    async def user(self, request: Request) -> Response:
        """The person as JSON. Never a token, neither ours nor the provider's."""
        session = await self._session(request)
        if session is None:
            return self._sign_in_first(request)
        person = session.person
        return JSONResponse(
            {
                **{name: list(values) for name, values in person.claims.items()},
                "sub": person.user_id,
                "user": person.user_id,
                "email": person.email,
                "name": person.name,
                "groups": sorted(groups_of(person, self._services.config.groups)),
                "sid": session.id,
                "exp": int(session.expires_at),
            }
        )

    async def routes(self, request: Request) -> Response:
        """Only the routes that a CONNECT of this person would be let through to."""
        session = await self._session(request)
        if session is None:
            return self._sign_in_first(request)
        return JSONResponse({"routes": [_route_item(route) for route in self._routes(session)]})

    async def sign_out(self, request: Request) -> Response:
        """Ask first: a link on some other page must not sign anybody out."""
        services = self._services
        if not services.is_home(request):
            return RedirectResponse(f"{services.origin(request)}{SIGN_OUT}", 303)
        session = await services.browser_session(request)
        if session is None:
            return page("signed_out.html", redirected=False)
        token = services.sealer.form_token("sign-out", session.id)
        return page("sign_out.html", person=session.person, csrf=token)

    async def signed_out(self, request: Request) -> Response:
        """End the session in the store: programs that got their token from it are signed out too."""
        services = self._services
        form = await read_form(request)
        session = await services.browser_session(request)
        if session is not None:
            sound = services.sealer.check_form_token(form.get("csrf", ""), "sign-out", session.id)
            if not sound or not is_own_form(request, services.origin(request)):
                return error_page(
                    request,
                    403,
                    "That did not come from this page",
                    "Go back, load the page again, and sign out there.",
                )
            await services.store.revoke(session.id)
            audit(request, "signed out", session)
        response = page(
            "signed_out.html", redirected=services.provider is not None and services.provider.name == "oidc"
        )
        services.cookies.drop_session(response)
        return response

    def _routes(self, session: Session) -> tuple[Route, ...]:
        config = self._services.config
        return reachable_routes(config.routes, session.person, config.groups)

    async def program_signed_out(self, request: Request) -> Response:
        """End the session of a program's token. A cookie counts for nothing here: a page can send that by itself."""
        token = bearer_token(request)
        session = await self._services.token_session(token) if token is not None else None
        if session is None:
            return self._sign_in_first(request)
        await self._services.store.revoke(session.id)
        audit(request, "signed out", session)
        return JSONResponse({"signed_out": True})

    async def _session(self, request: Request) -> Session | None:
        """The session of a program's token, or of the browser's cookie when there is no token."""
        token = bearer_token(request)
        if token is not None:
            return await self._services.token_session(token)
        return await self._services.browser_session(request) if self._services.is_home(request) else None

    def _sign_in_first(self, request: Request) -> Response:
        if wants_html(request) and bearer_token(request) is None and self._services.provider is not None:
            return RedirectResponse(f"{self._services.origin(request)}{SIGN_IN}", 302)
        response = error_page(request, 401, "Sign in first", "Sign in first.")
        response.headers["www-authenticate"] = "Pomerium"
        return response


def _route_item(route: Route) -> dict[str, Any]:
    """One route as Pomerium's routes portal writes it."""
    destination = route.source.partition("://")[2]
    argument = route.source if "/" in destination.rstrip("/") else destination.rstrip("/")
    return {
        "id": route.id,
        "name": route.label,
        "type": "tcp",
        "from": route.source,
        "description": route.description,
        "connect_command": f"tunnelui tcp {argument}",
        "logo_url": "",
    }
