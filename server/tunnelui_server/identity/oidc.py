"""OpenID Connect: the authorization code flow with PKCE, and every check in sight."""

from __future__ import annotations

import base64
import hmac
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote_plus, urlencode, urlsplit

import anyio

from tunnelui.errors import ConfigError
from tunnelui.text import clean
from tunnelui_server.identity.claims import person_from_claims
from tunnelui_server.identity.fetch import Fetcher, is_allowed_url
from tunnelui_server.identity.id_token import KeySet, check_id_token, token_key_id
from tunnelui_server.identity.provider import ProviderUnavailable, SignInRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tunnelui_server.identity.person import Person
    from tunnelui_server.identity.provider import Challenge

__all__ = ["OIDCProvider"]

_DISCOVERY_AGE: Final = 3600.0
_KEYS_AGE: Final = 3600.0
_KEYS_REFETCH: Final = 60.0
_RETRY: Final = 2.0
_MAX_CODE: Final = 4096
# RFC 6749 4.1.2.1 and OpenID Connect Core 3.1.2.6: the person, or the provider for the person, said no.
_DENIALS: Final = frozenset({"access_denied", "consent_required", "interaction_required", "login_required"})


@dataclass(frozen=True, slots=True)
class _Metadata:
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str
    secret_in_form: bool
    names_itself: bool  # RFC 9207: every answer carries iss


class OIDCProvider:
    """A `RedirectProvider`.

    :param issuer: ``idp_provider_url``; the discovery document must name the same issuer.
    :param client_secret: empty for a public client.
    :param groups_claim: where groups are, in the ID token or userinfo.
    :raises ConfigError: the issuer is not https, or the client id is missing.
    """

    name = "oidc"

    def __init__(
        self,
        *,
        issuer: str,
        client_id: str,
        client_secret: str = "",
        scopes: Sequence[str] = ("openid", "profile", "email"),
        groups_claim: str = "groups",
        fetcher: Fetcher | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not is_allowed_url(issuer):
            raise ConfigError("idp_provider_url must be an https address (http only on the loopback)")
        if not client_id:
            raise ConfigError("idp_client_id is missing")
        self._issuer = issuer
        self._client_id = client_id
        self._client_secret = client_secret
        self._scopes = " ".join(dict.fromkeys(("openid", *scopes)))
        self._groups_claim = groups_claim
        self._fetcher = fetcher or Fetcher()
        self._clock = clock
        self._monotonic = monotonic
        # One fetch of each at a time, shared by everybody who waits for it.
        self._metadata_lock = anyio.Lock()
        self._keys_lock = anyio.Lock()
        self._metadata: tuple[float, _Metadata] | None = None
        self._keys: tuple[float, KeySet] | None = None
        self._failed: tuple[float, ProviderUnavailable] | None = None

    async def sign_in_url(self, challenge: Challenge, redirect_uri: str) -> str:
        metadata = await self._discover()
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self._client_id,
                "redirect_uri": redirect_uri,
                "scope": self._scopes,
                "state": challenge.state,
                "nonce": challenge.nonce,
                "code_challenge": challenge.code_challenge,
                "code_challenge_method": "S256",
            }
        )
        joint = "&" if urlsplit(metadata.authorization_endpoint).query else "?"
        return f"{metadata.authorization_endpoint}{joint}{query}"

    async def finish(self, parameters: Mapping[str, str], challenge: Challenge, redirect_uri: str) -> Person:
        metadata = await self._discover()
        code = self._check_answer(parameters, challenge, metadata)
        tokens = await self._exchange(code, challenge, redirect_uri, metadata)
        id_token, access_token = tokens.get("id_token"), tokens.get("access_token")
        if not isinstance(id_token, str) or not isinstance(access_token, str):
            raise _refusal("the token answer lacks a token")
        claims = check_id_token(
            id_token,
            await self._keys_for(id_token, metadata),
            issuer=metadata.issuer,
            client_id=self._client_id,
            nonce=challenge.nonce,
            access_token=access_token,
            clock=self._clock,
        )
        userinfo: dict[str, Any] = {}
        if metadata.userinfo_endpoint and access_token.isascii() and access_token.isprintable():
            headers = {"Authorization": f"Bearer {access_token}"}
            userinfo = await self._fetcher.get_json(metadata.userinfo_endpoint, headers)
            if "sub" not in userinfo:
                raise _refusal("userinfo has no sub")
        return person_from_claims(claims, userinfo, self._groups_claim)

    async def aclose(self) -> None:
        await self._fetcher.aclose()

    def _check_answer(self, parameters: Mapping[str, str], challenge: Challenge, metadata: _Metadata) -> str:
        state = parameters.get("state", "")
        if not hmac.compare_digest(state.encode(), challenge.state.encode()):
            raise _refusal("state is another")
        # RFC 9207: an answer that another provider's mix-up sent here names the wrong issuer.
        issuer = parameters.get("iss")
        if (issuer is None and metadata.names_itself) or (issuer is not None and issuer != metadata.issuer):
            raise _refusal("iss of the answer is another or missing")
        if (error := parameters.get("error")) is not None:
            if error in _DENIALS:
                raise SignInRefused("The identity provider did not sign you in.", code="denied", detail=clean(error))
            raise _refusal(f"the provider answered {clean(error, 40)}")
        code = parameters.get("code", "")
        if not code or len(code) > _MAX_CODE:
            raise _refusal("the answer has no code")
        return code

    async def _exchange(
        self, code: str, challenge: Challenge, redirect_uri: str, metadata: _Metadata
    ) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": challenge.verifier,
        }
        headers: dict[str, str] = {}
        if not self._client_secret:
            form["client_id"] = self._client_id
        elif metadata.secret_in_form:
            form |= {"client_id": self._client_id, "client_secret": self._client_secret}
        else:
            # RFC 6749 2.3.1: both are form-encoded first.
            pair = f"{quote_plus(self._client_id)}:{quote_plus(self._client_secret)}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        status, answer = await self._fetcher.post_form(metadata.token_endpoint, form, headers)
        if status >= 500:
            raise ProviderUnavailable(f"the token endpoint answered {status}")
        if status != 200:
            raise _refusal(f"the token endpoint answered {status} {clean(str(answer.get('error', '')), 40)}")
        return answer

    async def _discover(self) -> _Metadata:
        async with self._metadata_lock:
            now = self._monotonic()
            if self._metadata and now - self._metadata[0] < _DISCOVERY_AGE:
                return self._metadata[1]
            if self._failed and now - self._failed[0] < _RETRY:
                raise ProviderUnavailable(self._failed[1].detail)
            try:
                document = await self._fetcher.get_json(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
                metadata = self._read_metadata(document)
            except ProviderUnavailable as error:
                self._failed = (now, error)
                raise
            self._metadata = (now, metadata)
            return metadata

    def _read_metadata(self, document: Mapping[str, Any]) -> _Metadata:
        issuer = document.get("issuer")
        # A trailing slash is the one difference that people and providers make without meaning it.
        if not isinstance(issuer, str) or issuer.rstrip("/") != self._issuer.rstrip("/"):
            raise ProviderUnavailable("the discovery document is of another issuer")
        endpoints = [document.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
        userinfo = document.get("userinfo_endpoint") or ""
        if not all(is_allowed_url(url) for url in endpoints) or (userinfo and not is_allowed_url(userinfo)):
            raise ProviderUnavailable("the discovery document lacks an endpoint or names one that is not https")
        methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        methods = methods if isinstance(methods, list) else []
        return _Metadata(
            issuer=issuer,
            authorization_endpoint=str(endpoints[0]),
            token_endpoint=str(endpoints[1]),
            jwks_uri=str(endpoints[2]),
            userinfo_endpoint=str(userinfo),
            secret_in_form="client_secret_post" in methods and "client_secret_basic" not in methods,
            names_itself=document.get("authorization_response_iss_parameter_supported") is True,
        )

    async def _keys_for(self, id_token: str, metadata: _Metadata) -> KeySet:
        """The provider's keys; fetched anew when they are old, or at most once a minute for a key not yet seen."""
        key_id, algorithm = token_key_id(id_token)
        async with self._keys_lock:
            now = self._monotonic()
            if self._keys is not None:
                age, keys = now - self._keys[0], self._keys[1]
                if age < _KEYS_AGE and (keys.find(key_id, algorithm) or age < _KEYS_REFETCH):
                    return keys
            keys = KeySet(await self._fetcher.get_json(metadata.jwks_uri))
            self._keys = (now, keys)
            return keys


def _refusal(detail: str) -> SignInRefused:
    return SignInRefused("The identity provider's answer can't be trusted.", code="response", detail=detail)
