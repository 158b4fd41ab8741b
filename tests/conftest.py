"""Fixtures for every test, and the coverage of the layers that matter most at the end of a run."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support.longest_first import LongestFirst

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

COVERED = {
    "wire": "tunnelui/wire/*",
    "transport": "tunnelui/transport/*",
    "policy": "server/tunnelui_server/policy/*",
    "everything": "*",
}

# How long an example takes tells how busy the machine is; a test that hangs has the time limit of all tests.
settings.register_profile("ours", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ours")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test away from the folders and variables of the person who runs it."""
    for name in ("CONFIG", "STATE", "RUNTIME"):
        monkeypatch.setenv(f"TUNNELUI_{name}_DIR", str(tmp_path / name.lower()))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config) -> Generator[None, Any, Any]:
    """Where a file's tests stay together, let the files that take longest come first."""
    scheduler = yield
    if config.getvalue("dist") == "loadfile":
        scheduler.workqueue = LongestFirst()
    return scheduler


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how much of the code this run covered, lines and branches together; `make coverage` has the details."""
    if not config.pluginmanager.hasplugin("_cov"):
        return
    import coverage

    measured = coverage.Coverage()
    measured.load()
    terminalreporter.section("coverage of lines and branches, without what other processes ran")
    for name, pattern in COVERED.items():
        try:
            percent = measured.report(include=[pattern], file=io.StringIO())
        except coverage.CoverageException:
            continue
        terminalreporter.write_line(f"{name:10} {percent:5.1f} %")
