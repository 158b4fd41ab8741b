"""TLS settings of both roles, as `ssl.SSLContext` objects. Making one reads files; make it once and keep it."""

from __future__ import annotations

import base64
import binascii
import ssl
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tunnelui.errors import ConfigError
from tunnelui.text import clean
from tunnelui.transport.authorities import context_with_authorities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tunnelui.transport.resumption import ResumingContext

__all__ = ["client_context", "load_client_certificate", "reason", "server_context"]

# TLS 1.3 has nothing but AEAD suites; for TLS 1.2 these are the ones with forward secrecy (RFC 9325 section 4.2).
_AEAD_SUITES: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
_ALPN: Final = ["http/1.1"]


def client_context(
    *,
    ca_files: Sequence[str] = (),
    ca_data: str | None = None,
    verify: bool = True,
    client_cert: str | None = None,
    client_key: str | None = None,
    client_password: str | None = None,
) -> ResumingContext:
    """How the client shakes hands: TLS 1.2 or later, the system's authorities and those that are named.

    What it has in common with others of the same settings is nothing: sessions are resumed within one context only.

    :param ca_files: PEM files with further authorities.
    :param ca_data: further authorities, PEM in base64.
    :param verify: False checks neither the chain nor the name.
    :param client_cert: a PEM file with the client's certificate; its key may be in the same file or in *client_key*. Or
        a PKCS#12 file with both.
    :param client_password: opens the PKCS#12 file, or an encrypted key.
    :raises ConfigError: a file is missing or is not what it should be; ``place`` names it.
    """
    # What `ssl.create_default_context` does, for a class of ours.
    context = context_with_authorities()
    if sys.version_info >= (3, 13):
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(_ALPN)
    for path in ca_files:
        _add_authorities(context, _read(path, "the CA file"), path)
    if ca_data is not None:
        _add_authorities(context, _decoded(ca_data), "the CA data")
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if client_cert:
        load_client_certificate(context, client_cert, client_key, client_password)
    elif client_key:
        raise ConfigError(
            "a client key is given without its certificate",
            place=client_key,
            hint="Name the certificate as well (--client-cert FILE).",
        )
    return context


def load_client_certificate(
    context: ssl.SSLContext, client_cert: str, client_key: str | None, password: str | None
) -> None:
    """Show a certificate to servers that ask for one; the files are those of `client_context`.

    :raises ConfigError: it can't be used; the code is `tunnelui.transport.pkcs12.WRONG_PASSWORD` when another password
        may help.
    """
    from tunnelui.transport.pkcs12 import is_pkcs12, load_pkcs12  # here, since most profiles have no certificate

    if not client_key and is_pkcs12(client_cert):
        load_pkcs12(context, client_cert, password)
    else:
        key_file = client_key or client_cert
        _load_chain(context, client_cert, key_file, "the client certificate", "the client key", password or "")


def server_context(certificates: Sequence[tuple[str, str]]) -> ssl.SSLContext:
    """How the server shakes hands: TLS 1.2 or later, AEAD suites, no compression, no renegotiation.

    :param certificates: pairs of PEM files (certificate with its chain, key). The client's SNI chooses among them; the
        first one answers every other name, and clients that send none.
    :raises ConfigError: a file is missing or is not what it should be; ``place`` names it.
    """
    if not certificates:
        raise ConfigError("no certificate is given", hint="Name a certificate and its key.")
    from tunnelui.transport.certificate import certificate_names, matches  # here: a client needs neither

    contexts = []
    for cert_file, key_file in certificates:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        # Every suite is a good one, and the client knows which its processor is quick at.
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
        context.set_ciphers(_AEAD_SUITES)
        context.set_alpn_protocols(_ALPN)
        der = _load_chain(context, cert_file, key_file, "the certificate", "the key")
        contexts.append((certificate_names(der), context))
    first = contexts[0][1]
    if len(contexts) > 1:

        def choose(connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
            if name is not None:
                connection.context = next((other for names, other in contexts if matches(name, names)), first)

        first.sni_callback = choose
    return first


def reason(error: ssl.SSLError) -> str:
    """What OpenSSL says, in words fit for a message."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return clean(error.verify_message.rstrip("."))
    return clean((error.reason or error.strerror or str(error)).replace("_", " ").lower())


def _read(path: str, what: str) -> str:
    try:
        return Path(path).read_text("ascii", "replace")
    except OSError as error:
        raise ConfigError(f"{what} can't be read: {clean(error.strerror or str(error))}", place=path) from error


def _decoded(ca_data: str) -> str:
    try:
        return base64.b64decode("".join(ca_data.split()), validate=True).decode("ascii", "replace")
    except (binascii.Error, ValueError) as error:
        raise ConfigError(f"not base64: {clean(str(error))}", place="the CA data") from error


def _add_authorities(context: ssl.SSLContext, text: str, place: str) -> None:
    try:
        # Only the PEM blocks: what stands between them is free text in any encoding.
        context.load_verify_locations(cadata=text.replace("\ufffd", "?"))
    except (ssl.SSLError, ValueError) as error:  # ValueError: empty
        why = reason(error) if isinstance(error, ssl.SSLError) else "empty"
        raise ConfigError(
            f"no usable CA certificate: {why}", place=place, hint="It must hold certificates in PEM form."
        ) from error


def _load_chain(
    context: ssl.SSLContext, cert_file: str, key_file: str, cert: str, key: str, password: str | None = None
) -> bytes:
    """Load a certificate and its key; the certificate's DER bytes. Without a *password*, none can be given."""
    from tunnelui.transport.certificate import first_certificate

    _read(cert_file, cert)
    if "PRIVATE KEY-----" not in _read(key_file, key) and key_file == cert_file:
        hint = "Name the file of its key as well (--client-key FILE)."
        raise ConfigError(f"{cert} has no key beside it", place=cert_file, hint=hint)
    try:
        der = first_certificate(cert_file)
    except ValueError as error:
        raise ConfigError(f"{cert} is not usable: {clean(str(error))}", place=cert_file) from error
    asked: list[str] = []

    def answer() -> str:  # without it, OpenSSL would ask on the terminal
        asked.append(key_file)
        return password or ""

    try:
        context.load_cert_chain(cert_file, key_file, password=answer)
    except ssl.SSLError as error:
        if asked and password is not None:
            from tunnelui.transport.pkcs12 import LOCKED_HINT, WRONG_PASSWORD

            words = "the password is wrong" if password else "a password is needed"
            raise ConfigError(
                f"{key} can't be opened: {words}", place=key_file, code=WRONG_PASSWORD, hint=LOCKED_HINT
            ) from error
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ConfigError(f"{key} does not belong to {cert} {cert_file}", place=key_file) from error
        # Which of the two is wrong? One that loads alone is not.
        place, what = (key_file, key) if _is_certificate(cert_file) else (cert_file, cert)
        raise ConfigError(
            f"{what} is not usable: {reason(error)}",
            place=place,
            hint="It must be in PEM form, and a key must not be encrypted."
            if password is None
            else "It must be in PEM form.",
        ) from error
    return der


def _is_certificate(path: str) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError:
        return False
    return True
