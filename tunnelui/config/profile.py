"""A profile: a proxy, an identity and TLS settings."""

from __future__ import annotations

from dataclasses import field

from tunnelui.config.route import DEFAULT_PROFILE
from tunnelui.frozen import frozen

__all__ = ["Profile"]


@frozen
class Profile:
    """One ``[profiles.NAME]`` table of ``config.toml``; commands lay their flags over it with `dataclasses.replace`.

    Paths are absolute once they have been read from a file. Empty text means: not set.

    :param name: 1 to 64 printable characters.
    :param proxy_url: ``https://PROXY[:PORT]``; overrides the proxy that follows from a destination.
    :param ca_file: PEM file, added to the system's authorities.
    :param ca_data: base64 of PEM text; goes before *ca_file*, as in pomerium-cli.
    :param verify: whether the proxy's certificate is checked.
    :param client_cert: PEM file, with *client_key*; or a PKCS#12 file alone.
    :param client_cert_password_file: holds the password of *client_cert*; goes after *client_cert_password*.
    :param client_cert_password: never from a file of settings; never shown, never stored by us.
    :param server_name: the name that the certificate must have, where that is not the proxy's host.
    :param browser_cmd: one program name, run as ``PROG URL``.
    :param open_browser: whether a sign-in may start a browser by itself.
    :param service_account: a token without a person; never shown, never stored by us.
    :param sign_in_timeout: seconds until a sign-in gives up.
    """

    name: str = DEFAULT_PROFILE
    proxy_url: str = ""
    ca_file: str = ""
    ca_data: str = ""
    verify: bool = True
    client_cert: str = ""
    client_key: str = ""
    browser_cmd: str = ""
    open_browser: bool = True
    service_account: str = field(default="", repr=False)
    service_account_file: str = ""
    sign_in_timeout: float = 300.0
    server_name: str = ""
    client_cert_password_file: str = ""
    client_cert_password: str = field(default="", repr=False)

    @property
    def ca_files(self) -> tuple[str, ...]:
        """*ca_file* as a sequence of none or one."""
        return (self.ca_file,) if self.ca_file else ()
