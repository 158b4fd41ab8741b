"""An OpenID provider that can be made slow, broken or hostile: a real server on the loopback."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

Answer = tuple[int, "Mapping[str, str]", bytes]
CLIENT_ID = "tunnelui"
CLIENT_SECRET = "client-secret-canary"


class AnyAlgorithm(jws.JWSRegistry):
    """A hostile provider signs with whatever it likes."""

    def get_alg(self, name: str) -> Any:
        return self.algorithms[name]


REGISTRY = AnyAlgorithm(strict_check_header=False)


def json_answer(value: object, status: int = 200, **headers: str) -> Answer:
    return status, {"Content-Type": "application/json", **headers}, json.dumps(value).encode()


def make_key(kind: str, key_id: str) -> RSAKey | ECKey | OKPKey:
    parameters: Any = {"kid": key_id, "use": "sig"}
    if kind == "RSA":
        return RSAKey.generate_key(2048, parameters, private=True)
    if kind == "EC":
        return ECKey.generate_key("P-256", parameters, private=True)
    return OKPKey.generate_key("Ed25519", parameters, private=True)


def sign(claims: object, key: Any, algorithm: str, **header: Any) -> str:
    fields: dict[str, Any] = {"alg": algorithm, "kid": key.kid} | header
    fields = {name: value for name, value in fields.items() if value is not None}
    return jws.serialize_compact(fields, json.dumps(claims).encode(), key, registry=REGISTRY)


@dataclass
class IdentityProvider:
    """What it answers is in attributes, so that a test breaks one thing at a time."""

    port: int = 0
    keys: list[Any] = field(default_factory=lambda: [make_key("RSA", "key-1")])
    algorithm: str = "RS256"
    metadata: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] | None = field(default_factory=lambda: {"sub": "user-1"})
    answers: dict[str, Answer | Callable[[], Answer]] = field(default_factory=dict)
    delay: dict[str, float] = field(default_factory=dict)
    seen: list[tuple[str, str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    nonce: str = ""
    challenge: str = ""
    access_token: str = "access-token-canary"
    serving: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def count(self, path: str) -> int:
        return sum(1 for _, seen, _, _ in self.seen if seen == path)

    def id_token(self) -> str:
        now = int(time.time())
        claims = {"iss": self.issuer, "sub": "user-1", "aud": CLIENT_ID, "exp": now + 300, "iat": now}
        claims |= {"nonce": self.nonce} | self.claims
        claims = {name: value for name, value in claims.items() if value is not ...}
        return sign(claims, self.keys[0], self.algorithm, **self.header)

    def follow(self, url: str) -> dict[str, str]:
        """What the browser does at the authorization endpoint: note the request, come back with a code."""
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query))
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{self.issuer}/authorize"
        assert query["response_type"] == "code" and query["code_challenge_method"] == "S256"
        self.nonce, self.challenge = query["nonce"], query["code_challenge"]
        return {"code": "code-canary", "state": query["state"]}

    def answer(self, method: str, path: str, form: Mapping[str, str]) -> Answer:
        if path in self.answers:
            chosen = self.answers[path]
            return chosen() if callable(chosen) else chosen
        match path:
            case "/.well-known/openid-configuration":
                document = {
                    "issuer": self.issuer,
                    "authorization_endpoint": f"{self.issuer}/authorize",
                    "token_endpoint": f"{self.issuer}/token",
                    "jwks_uri": f"{self.issuer}/jwks",
                    "userinfo_endpoint": f"{self.issuer}/userinfo",
                }
                merged = {name: value for name, value in (document | self.metadata).items() if value is not ...}
                return json_answer(merged)
            case "/jwks":
                return json_answer({"keys": [key.as_dict(private=False) for key in self.keys]})
            case "/token":
                digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
                if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != self.challenge:
                    return json_answer({"error": "invalid_grant"}, 400)
                tokens = {"access_token": self.access_token, "token_type": "Bearer", "id_token": self.id_token()}
                return json_answer(tokens)
            case "/userinfo" if self.userinfo is not None:
                return json_answer(self.userinfo)
        return json_answer({}, 404)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, target, _ = head[0].split(" ")
            fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
            body = await reader.readexactly(int(fields.get("content-length", "0")))
            form, path = dict(parse_qsl(body.decode())), target.partition("?")[0]
            self.seen.append((method, path, fields, form))
            await asyncio.sleep(self.delay.get(path, 0))
            status, headers, content = self.answer(method, path, form)
            lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(content)}", "Connection: close"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            writer.write("\r\n".join([*lines, "", ""]).encode() + content)
            await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        self.serving.discard(task)


@contextlib.asynccontextmanager
async def run_idp(**settings: Any) -> AsyncIterator[IdentityProvider]:
    provider = IdentityProvider(**settings)
    server = await asyncio.start_server(provider.handle, "127.0.0.1", 0)
    provider.port = server.sockets[0].getsockname()[1]
    try:
        yield provider
    finally:
        server.close()
        for task in tuple(provider.serving):
            task.cancel()
        await asyncio.gather(*provider.serving, return_exceptions=True)
