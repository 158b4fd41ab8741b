"""Who we are: one `Credentials` per profile and proxy, one set of TLS settings per profile, each made when needed."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

from tunnelui.auth.credentials import Credentials
from tunnelui.auth.service_account import ServiceAccount
from tunnelui.auth.token_store import TokenKey
from tunnelui.engine.identity_snapshots import IdentitySnapshots
from tunnelui.engine.model import Event, ProfileSnapshot
from tunnelui.errors import ConfigError
from tunnelui.text import without_query
from tunnelui.transport.contexts import client_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tunnelui.auth.credential_status import CredentialStatus
    from tunnelui.auth.credentials import Tasks
    from tunnelui.auth.sign_in import SignInOptions
    from tunnelui.auth.token_store import TokenStore
    from tunnelui.config.profile import Profile
    from tunnelui.engine.model import IdentitySnapshot
    from tunnelui.wire.destination import ProxyOrigin

__all__ = ["Contexts", "Identities", "profile_snapshot", "service_account_of", "sign_in_options"]


class Contexts:
    """Client TLS settings, one per profile. Loading the system's authorities takes some 30 ms: in a worker thread."""

    def __init__(self) -> None:
        self._made: dict[Profile, ssl.SSLContext] = {}
        self._passwords: dict[str, str] = {}
        self._lock = threading.Lock()

    def make(self, profile: Profile) -> ssl.SSLContext:
        """Return the context; blocks while it is made for the first time. What fails is tried anew the next time.

        :raises tunnelui.errors.ConfigError: a certificate file is missing or wrong.
        """
        with self._lock:
            if profile in self._made:
                return self._made[profile]
            password = _configured_password(profile) if profile.client_cert else ""
            try:
                context = self._made[profile] = _context(profile, password)
                return context
            except ConfigError as error:
                failure = error
        opened = self._opened(profile, password, failure)  # may wait for a keyring, and the other profiles need not
        with self._lock:
            return self._made.setdefault(profile, opened)

    def unlock(self, profile: Profile, password: str) -> None:
        """Remember the password of the profile's client certificate, in this process alone. Blocks, like `make`.

        :raises tunnelui.errors.ConfigError: it is wrong, or the profile names a file with another one.
        """
        if _configured_password(profile):
            raise ConfigError(
                "config.toml says where the password of this certificate comes from",
                place=profile.client_cert_password_file,
                code="password_file",
                hint="Correct it there, or take client_cert_password_file out of the profile.",
            )
        _context(profile, password)
        self._passwords[profile.client_cert] = password

    def _opened(self, profile: Profile, configured: str, error: ConfigError) -> ssl.SSLContext:
        """Make the context with a password that somebody gave, or that the keyring has."""
        import shlex

        from tunnelui.auth.certificate_passwords import kept_password
        from tunnelui.transport.pkcs12 import WRONG_PASSWORD

        if configured or error.code != WRONG_PASSWORD:
            raise error
        for password in (self._passwords.get(profile.client_cert, ""), kept_password(profile.client_cert)):
            if password:
                try:
                    return _context(profile, password)
                except ConfigError as failure:
                    error = failure
        if error.code != WRONG_PASSWORD:
            raise error
        hint = f"Run: tunnelui profiles unlock {shlex.quote(profile.name)}. {error.hint}"
        raise ConfigError(error.message, place=error.place, code=error.code, hint=hint)

    async def get(self, profile: Profile) -> ssl.SSLContext:
        """`make`, without blocking the event loop."""
        made = self._made.get(profile)
        return made if made is not None else await asyncio.to_thread(self.make, profile)


def _context(profile: Profile, password: str) -> ssl.SSLContext:
    context = client_context(
        ca_files=profile.ca_files if not profile.ca_data else (),
        ca_data=profile.ca_data or None,
        verify=profile.verify,
        client_cert=profile.client_cert or None,
        client_key=profile.client_key or None,
        client_password=password or None,
    )
    context.server_name = profile.server_name
    return context


def _configured_password(profile: Profile) -> str:
    from tunnelui.config.certificate_password import certificate_password  # here, since most profiles have none

    return certificate_password(profile)


def profile_snapshot(profile: Profile) -> ProfileSnapshot:
    """Return what screens may show of *profile*: names of files, and never a secret."""
    account = profile.service_account_file or ("config.toml" if profile.service_account else "")
    return ProfileSnapshot(
        profile.name,
        profile.proxy_url,
        ca=profile.ca_file if not profile.ca_data else "ca_data of config.toml",
        client_cert=profile.client_cert,
        verify=profile.verify,
        server_name=profile.server_name,
        service_account=account,
        opens_browser=profile.open_browser,
    )


def service_account_of(profile: Profile) -> ServiceAccount | None:
    """Return the service account of *profile*.

    The environment is left out: commands lay flags and variables over the one profile that they are meant for, and a
    token in a variable must not go to the proxies of all the other profiles.
    """
    return ServiceAccount.choose(
        environ={},
        profile_value=profile.service_account,
        profile_file=profile.service_account_file,
    )


def sign_in_options(
    profile: Profile, contexts: Contexts, announce: Callable[[str, bool], None] | None = None
) -> SignInOptions:
    """Return how sign-ins of *profile* are made."""
    # Here, since most runs have a token.
    from tunnelui.auth.sign_in import SignInOptions

    return SignInOptions(
        browser_cmd=profile.browser_cmd or None,
        open_browser=profile.open_browser,
        deadline=profile.sign_in_timeout,
        ssl_context=lambda: contexts.make(profile),
        turns=_turns,
        announce=announce,
    )


def _turns() -> Path | None:
    """The runtime folder, where all commands of this person meet; none where it can't be used."""
    from tunnelui.config.runtime_folder import open_folder
    from tunnelui.errors import LocalError

    try:
        return open_folder(create=True)
    except LocalError:
        return None


class Identities:
    """Every identity that was asked for, and the news of each."""

    def __init__(
        self,
        store: TokenStore,
        contexts: Contexts,
        tasks: Tasks,
        *,
        publish: Callable[[Event], None],
        changed: Callable[[], None],
        signed_in: Callable[[TokenKey], None],
        service_account: Callable[[Profile], ServiceAccount | None] = service_account_of,
        interactive: bool = True,
        announce: Callable[[str, bool], None] | None = None,
    ) -> None:
        """
        :param publish: gets the events ``sign_in``, ``signed_in`` and ``note``.
        :param changed: is called when a snapshot would differ.
        :param signed_in: is called when a key has got a token that it did not have.
        """
        self._store = store
        self._contexts = contexts
        self._tasks = tasks
        self._publish = publish
        self._changed = changed
        self._signed_in = signed_in
        self._service_account = service_account
        self._interactive = interactive
        self._announce = announce
        self._credentials: dict[TokenKey, Credentials] = {}
        self._last: dict[TokenKey, CredentialStatus] = {}
        self._pasting: set[TokenKey] = set()
        self._arrived: dict[TokenKey, int] = {}
        self._since: dict[TokenKey, tuple[float, str]] = {}
        self._snapshots = IdentitySnapshots(lambda key: self._credentials[key].status(), self._since.get)

    def get(self, profile: Profile, proxy: ProxyOrigin) -> Credentials:
        """Return the credentials; the same object every time."""
        key = TokenKey(profile.name, proxy)
        if key not in self._credentials:
            self._credentials[key] = Credentials(
                key,
                self._store,
                tasks=self._tasks,
                options=lambda: sign_in_options(profile, self._contexts, self._announce),
                service_account=self._service_account(profile),
                interactive=self._interactive,
                on_change=lambda: self._on_change(key),
            )
            self._last[key] = self._credentials[key].status()
            self._snapshots.changed(key)
            self._changed()
        return self._credentials[key]

    async def paste(self, credentials: Credentials, text: str) -> None:
        """Take a token, or the address that the browser ended on.

        :raises tunnelui.errors.SignInFailed: the text holds no token.
        """
        under_way = credentials.status().signing_in
        self._pasting.add(credentials.key)
        try:
            await credentials.paste(text)
        finally:
            self._pasting.discard(credentials.key)
        if not under_way:
            self._since[credentials.key] = time.time(), "paste"
            self._snapshots.changed(credentials.key)
            self._tell_signed_in(credentials.key, credentials.status())

    def snapshot(self) -> tuple[IdentitySnapshot, ...]:
        """Return all of them: the same object as before where nothing has changed."""
        return self._snapshots.all()

    def notes(self) -> tuple[str, ...]:
        """What has to be said of the token store, each line once."""
        return self._snapshots.notes()

    def _on_change(self, key: TokenKey) -> None:
        before, now = self._last[key], self._credentials[key].status()
        self._last[key] = now
        self._snapshots.changed(key)
        self._changed()
        if now.url and now.url != before.url:
            data = {"url": now.url, "waiting": list(now.waiting), "deadline_at": now.deadline_at}
            self._tell("sign_in", f"sign in at {without_query(now.url)}", key, data)
        if now.signing_in and not before.signing_in:
            self._arrived[key] = before.tokens
        ended = before.signing_in and not now.signing_in
        if ended and now.tokens != self._arrived.get(key) and now.status == "signed in":
            self._since[key] = time.time(), "paste" if key in self._pasting else "browser"
            self._tell_signed_in(key, now)
            self._signed_in(key)
        elif now.status == "signed out":
            self._since.pop(key, None)
        elif now.status == "signed in" and before.status in ("signed out", "expired"):
            self._signed_in(key)
        if now.problem is not None and now.problem is not before.problem:
            data = {"code": now.problem.code, "hint": now.problem.hint}
            self._tell("note", f"sign-in at {key.proxy}: {now.problem}", key, data, level="warning")
        # The store is everybody's: what is wrong with it is told once, however many there are who have no token in it.
        known = any(other.note == now.note for which, other in self._last.items() if which != key)
        news = [now.note] if now.note != before.note and not known else []
        if now.sign_in_note != before.sign_in_note:
            news.append(now.sign_in_note)
        for note in filter(None, news):
            self._tell("note", note, key, {}, level="warning")

    def _tell_signed_in(self, key: TokenKey, status: CredentialStatus) -> None:
        who = f" as {status.name}" if status.name else ""
        self._tell("signed_in", f"signed in at {key.proxy}{who}", key, {"name": status.name})

    def _tell(self, kind: str, message: str, key: TokenKey, data: Mapping[str, object], *, level: str = "info") -> None:
        facts = {"profile": key.profile, "proxy": str(key.proxy), **data}
        self._publish(Event(kind, time.time(), message, level, data=facts))
