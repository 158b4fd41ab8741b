"""The OpenID provider of `oidc-provider.mjs`."""

from __future__ import annotations

import json
import os
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.peers.parts import NODE, NODE_MODULES, require
from tests.peers.process import Process, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["OpenIDProvider", "run_openid_provider"]


@dataclass(frozen=True)
class OpenIDProvider:
    """Where it is, and the client that it knows."""

    issuer: str
    client_id: str
    client_secret: str

    def set_account(self, login: str, claims: Mapping[str, Any]) -> None:
        """Add a person or change the claims of one."""
        request = urllib.request.Request(f"{self.issuer}/accounts/{login}", json.dumps(claims).encode(), method="PUT")
        with urllib.request.urlopen(request, timeout=10) as response:
            assert response.status == 204

    def counts(self) -> dict[str, int]:
        """Return how often each path was asked for."""
        with urllib.request.urlopen(f"{self.issuer}/counts", timeout=10) as response:
            counts: dict[str, int] = json.load(response)
        return counts


@contextmanager
def run_openid_provider(
    folder: Path, accounts: Mapping[str, Mapping[str, Any]], callback: str
) -> Iterator[OpenIDProvider]:
    """Run the provider; *accounts* are login names with their claims, *callback* is the path of the relying party."""
    (node,) = require(NODE)
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "port": free_port(),
        "client_id": "tunnelui",
        "client_secret": "a secret for tests, longer than thirty-two bytes",
        "callback": callback,
        "accounts": accounts,
    }
    file = folder / "settings.json"
    file.write_text(json.dumps(settings))
    script = Path(__file__).with_name("oidc-provider.mjs")
    env = {"PATH": os.environ["PATH"], "TEST_NODE_MODULES": str(NODE_MODULES), "NODE_ENV": "test"}
    with Process("openid", [node, script, file], folder, env=env) as provider:
        provider.wait_for(r"^ready at", 30)
        yield OpenIDProvider(
            f"http://127.0.0.1:{settings['port']}", str(settings["client_id"]), str(settings["client_secret"])
        )
