"""A folder with a certificate, and a way to write a configuration into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trustme

from tests.support.hashes import PASSWORD_HASH
from tunnelui_server.config import ConfigErrors, ServerConfig, load_config

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tunnelui.errors import ConfigError


class Workshop:
    """Writes a file with the keys that every configuration needs in front of the text of a test.

    The word HASH stands for a good password hash.
    """

    base = "address: 127.0.0.1:8443\ncertificate_file: cert.pem\ncertificate_key_file: key.pem\nstate_dir: state\n"
    people = "idp_provider: local\nlocal_users:\n- {email: a@example.com, password_hash: 'HASH'}\n"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "config.yaml"
        certificate = trustme.CA().issue_cert("localhost", "127.0.0.1")
        certificate.cert_chain_pems[0].write_to_path(folder / "cert.pem")
        certificate.private_key_pem.write_to_path(folder / "key.pem")
        (folder / "key.pem").chmod(0o600)

    def write(self, text: str, *, base: bool = True, people: bool = True, mode: int = 0o600) -> Path:
        whole = (self.base if base else "") + (self.people if people else "") + text
        self.path.write_text(whole.replace("HASH", PASSWORD_HASH), encoding="utf-8")
        self.path.chmod(mode)
        return self.path

    def line_of(self, text: str) -> int:
        """The number of the first line of the file that holds *text*."""
        lines = self.path.read_text(encoding="utf-8").splitlines()
        return next(number for number, line in enumerate(lines, 1) if text in line)

    def load(self, text: str, *, environ: Mapping[str, str] | None = None, **how: bool) -> ServerConfig:
        return load_config(self.write(text, **how), environ or {})

    def errors(self, text: str, *, environ: Mapping[str, str] | None = None, **how: bool) -> tuple[ConfigError, ...]:
        with pytest.raises(ConfigErrors) as caught:
            self.load(text, environ=environ, **how)
        return caught.value.errors

    def error(self, text: str, *, environ: Mapping[str, str] | None = None, **how: bool) -> ConfigError:
        errors = self.errors(text, environ=environ, **how)
        assert len(errors) == 1, [str(error) for error in errors]
        return errors[0]


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    folder = tmp_path / "etc"
    folder.mkdir()
    return Workshop(folder)
