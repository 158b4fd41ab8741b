"""Running control planes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server.control.harness import Control, oidc_identity, run_control
from tests.server.identity.idp import IdentityProvider, run_idp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def control(tmp_path: Path) -> AsyncIterator[Control]:
    async with run_control(tmp_path) as running:
        yield running


@pytest.fixture
async def idp() -> AsyncIterator[IdentityProvider]:
    async with run_idp() as provider:
        yield provider


@pytest.fixture
async def oidc_control(tmp_path: Path, idp: IdentityProvider) -> AsyncIterator[Control]:
    folder = tmp_path / "oidc"
    folder.mkdir(mode=0o700)
    async with run_control(folder, identity=oidc_identity(idp.issuer)) as running:
        yield running
