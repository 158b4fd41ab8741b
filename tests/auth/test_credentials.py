from __future__ import annotations

import time
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest

from tests.auth.jwt import jwt
from tests.auth.login_server import Answer, LoginServer
from tests.auth.person import opened, person
from tunnelui.auth.credentials import Credentials
from tunnelui.auth.file_store import FileStore
from tunnelui.auth.service_account import ServiceAccount
from tunnelui.auth.sign_in import SignInOptions
from tunnelui.auth.stores import MemoryStore
from tunnelui.auth.token_store import StoreError, TokenKey, TokenStore
from tunnelui.auth.tokens import Token
from tunnelui.errors import AuthError, ConfigError, SignInFailed, SignInNeeded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from anyio.abc import TaskGroup

FRESH = Token(jwt(email="alice@example.com", n=1))
OLD = Token(jwt(email="alice@example.com", n=0))
OLDER = Token(jwt(email="alice@example.com", n=-1))
EXPIRED = Token(jwt(email="alice@example.com", exp=1_000_000_000))


@pytest.fixture
def server() -> Iterator[LoginServer]:
    with LoginServer(token=FRESH.value) as server:
        yield server


class BrokenStore:
    """A store on a machine where nothing can be kept."""

    kind = "file"
    description = "nowhere"

    async def load(self, key: TokenKey) -> Token | None:
        raise StoreError("the disk is gone", hint="Buy another.")

    async def save(self, key: TokenKey, token: Token) -> None:
        raise StoreError("the disk is gone", hint="Buy another.")

    async def delete(self, key: TokenKey) -> None:
        raise StoreError("the disk is gone", hint="Buy another.")


class SlowStore(MemoryStore):
    """A store that takes its time and counts."""

    def __init__(self) -> None:
        super().__init__()
        self.loads = 0
        self.saves = 0

    async def load(self, key: TokenKey) -> Token | None:
        self.loads += 1
        await anyio.sleep(0.05)
        return await super().load(key)

    async def save(self, key: TokenKey, token: Token) -> None:
        await anyio.sleep(0.3)
        await super().save(key, token)
        self.saves += 1


class HeldStore(MemoryStore):
    """A store that saves when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.saves = 0
        self.saving, self.may_save = anyio.Event(), anyio.Event()

    async def save(self, key: TokenKey, token: Token) -> None:
        self.saving.set()
        await self.may_save.wait()
        await super().save(key, token)
        self.saves += 1


class Setting:
    """Credentials for the login server, with everything that a test wants to look at."""

    def __init__(self, server: LoginServer, folder: Path, tasks: TaskGroup) -> None:
        self.server = server
        self.folder = folder
        self.tasks = tasks
        self.key = TokenKey("default", server.origin)
        self.store: TokenStore = MemoryStore()
        self.options = SignInOptions(browser_cmd=person(folder), deadline=20)
        self.changes = 0

    def make(self, *, service_account: ServiceAccount | None = None, interactive: bool = True) -> Credentials:
        def changed() -> None:
            self.changes += 1

        return Credentials(
            self.key,
            self.store,
            tasks=self.tasks,
            options=lambda: self.options,
            service_account=service_account,
            interactive=interactive,
            on_change=changed,
        )

    def nobody_answers(self, *, deadline: float = 60.0) -> None:
        """From now on no browser is started: the person is away."""
        self.options = SignInOptions(open_browser=False, deadline=deadline)


@asynccontextmanager
async def scene(server: LoginServer, folder: Path) -> AsyncIterator[Setting]:
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            yield Setting(server, folder, tasks)
            tasks.cancel_scope.cancel()


@pytest.fixture
async def setting(server: LoginServer, tmp_path: Path) -> AsyncIterator[Setting]:
    async with scene(server, tmp_path) as setting:
        yield setting


async def until(condition: Callable[[], object]) -> None:
    with anyio.fail_after(60):
        while not condition():
            await anyio.sleep(0.01)


# The token that is there


async def test_the_stored_token_is_read_once_and_by_one(setting: Setting) -> None:
    store = setting.store = SlowStore()
    await store.save(setting.key, OLD)
    credentials = setting.make()
    assert credentials.status().status == "signed out"
    got: list[Token | None] = []

    async def ask() -> None:
        got.append(await credentials.current())

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(ask)
    assert got == [OLD] * 50
    assert store.loads == 1
    assert setting.changes > 0
    status = credentials.status()
    assert (status.status, status.name, status.store) == ("signed in", "alice@example.com", "memory")
    assert setting.server.requests == []


async def test_an_expired_token_is_kept_and_offered_because_the_proxy_decides(setting: Setting) -> None:
    await setting.store.save(setting.key, EXPIRED)
    credentials = setting.make()
    assert await credentials.current() == EXPIRED
    assert credentials.status().status == "expired"
    assert credentials.status().expires_at == 1_000_000_000


# Renewing


async def test_fifty_waiters_share_one_sign_in(setting: Setting) -> None:
    credentials = setting.make()
    assert await credentials.current() is None
    got: list[Token] = []

    async def connection(number: int) -> None:
        got.append(await credentials.renew(None, route=f"route-{number % 3}"))

    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(connection, number)
        await until(lambda: credentials.status().url)
        status = credentials.status()
        assert status.signing_in
        assert sorted(status.waiting) == ["route-0", "route-1", "route-2"]
        assert status.started_at is not None
        assert status.deadline_at == pytest.approx(status.started_at + 20)
    assert got == [FRESH] * 50
    assert len(setting.server.logins) == 1
    assert len(opened(setting.folder)) == 1
    assert await credentials.current() == FRESH
    await until(lambda: setting.store._tokens)  # type: ignore[attr-defined]
    assert await setting.store.load(setting.key) == FRESH
    status = credentials.status()
    assert (status.signing_in, status.url, status.waiting, status.problem) == (False, "", (), None)


async def test_a_newer_token_answers_an_older_refusal_without_a_sign_in(setting: Setting) -> None:
    await setting.store.save(setting.key, OLD)
    credentials = setting.make()
    assert await credentials.current() == OLD
    assert await credentials.renew(OLDER) == OLD
    assert await credentials.renew(None) == OLD
    assert setting.server.logins == []


async def test_the_refused_token_is_forgotten_here_and_in_the_store(setting: Setting) -> None:
    setting.nobody_answers()
    await setting.store.save(setting.key, OLD)
    credentials = setting.make()
    await credentials.current()
    setting.tasks.start_soon(_fails, credentials, OLD)
    await until(lambda: credentials.status().url)
    assert await credentials.current() is None
    assert await setting.store.load(setting.key) is None
    await credentials.cancel()


async def test_what_another_process_saved_is_taken_before_a_browser_opens(setting: Setting) -> None:
    await setting.store.save(setting.key, OLD)
    credentials = setting.make()
    await credentials.current()
    await setting.store.save(setting.key, FRESH)
    assert await credentials.renew(OLD) == FRESH
    assert setting.server.logins == []
    assert await credentials.current() == FRESH
    assert await setting.store.load(setting.key) == FRESH


async def test_an_expired_token_in_the_store_does_not_stand_in_for_a_sign_in(setting: Setting) -> None:
    credentials = setting.make()
    assert await credentials.current() is None
    await setting.store.save(setting.key, EXPIRED)
    assert await credentials.renew(None) == FRESH
    assert len(setting.server.logins) == 1


async def _fails(credentials: Credentials, rejected: Token | None = None) -> None:
    with pytest.raises(AuthError):
        await credentials.renew(rejected)


async def test_a_failed_sign_in_fails_everybody_who_waited_and_the_next_may_begin_another(setting: Setting) -> None:
    setting.server.answer = Answer(status=404, body=b"", delay=0.3)
    credentials = setting.make()
    errors: list[SignInFailed] = []

    async def connection() -> None:
        try:
            await credentials.renew(None)
        except SignInFailed as error:
            errors.append(error)

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(connection)
    assert len(errors) == 50
    assert {error.code for error in errors} == {"login_answer"}
    assert len({id(error) for error in errors}) == 50
    assert all(error.hint for error in errors)
    assert len(setting.server.logins) == 1
    status = credentials.status()
    assert status.problem is not None
    assert "404" in str(status.problem)
    assert status.problem_at == pytest.approx(time.time(), abs=20)
    setting.server.answer = Answer()
    assert await credentials.renew(None) == FRESH
    assert len(setting.server.logins) == 2
    assert credentials.status().problem is None


async def test_cancelling_ends_the_wait_of_all(setting: Setting) -> None:
    setting.nobody_answers()
    credentials = setting.make()
    codes: list[str] = []

    async def connection() -> None:
        try:
            await credentials.renew(None)
        except SignInFailed as error:
            codes.append(error.code)

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(connection)
        await until(lambda: credentials.status().url)
        await credentials.cancel()
    assert codes == ["cancelled"] * 5
    assert not credentials.status().signing_in
    assert credentials.status().problem is None
    await credentials.cancel()  # nothing under way: no effect


async def test_the_deadline_ends_the_wait_of_all(setting: Setting) -> None:
    setting.nobody_answers(deadline=0.3)
    credentials = setting.make()
    with pytest.raises(SignInFailed) as caught:
        await credentials.renew(None)
    assert caught.value.code == "timeout"


async def test_a_waiter_that_is_cancelled_leaves_alone(setting: Setting) -> None:
    setting.options = SignInOptions(browser_cmd=person(setting.folder, delay=0.8), deadline=20)
    credentials = setting.make()
    got: list[Token] = []

    async def patient() -> None:
        got.append(await credentials.renew(None, route="patient"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(patient)
        with anyio.move_on_after(0.2) as scope:
            await credentials.renew(None, route="hasty")
        assert scope.cancelled_caught
        assert credentials.status().waiting == ("patient",)
    assert got == [FRESH]


async def test_the_sign_in_goes_on_when_nobody_waits_any_more(setting: Setting) -> None:
    setting.options = SignInOptions(browser_cmd=person(setting.folder, delay=0.5), deadline=20)
    credentials = setting.make()
    with anyio.move_on_after(0.1):
        await credentials.renew(None)
    assert credentials.status().signing_in
    await until(lambda: not credentials.status().signing_in)
    assert await credentials.current() == FRESH
    assert len(setting.server.logins) == 1


async def test_where_nobody_may_be_asked_the_refusal_says_so(setting: Setting) -> None:
    await setting.store.save(setting.key, OLD)
    credentials = setting.make(interactive=False)
    assert await credentials.current() == OLD
    with pytest.raises(SignInNeeded) as caught:
        await credentials.renew(OLD, route="db")
    assert "tunnelui login" in caught.value.hint
    assert await setting.store.load(setting.key) is None
    assert setting.server.logins == []
    await setting.store.save(setting.key, FRESH)
    assert await credentials.renew(None) == FRESH, "somebody signed in meanwhile, in another process"


async def test_the_end_of_the_engine_ends_the_sign_in(server: LoginServer, tmp_path: Path) -> None:
    async with scene(server, tmp_path) as setting:
        setting.nobody_answers()
        credentials = setting.make()
        await credentials.begin()
        await until(lambda: credentials.status().url)
    assert not credentials.status().signing_in


# Asking for it


async def test_a_sign_in_that_is_asked_for_keeps_the_present_token_until_it_succeeds(setting: Setting) -> None:
    setting.options = SignInOptions(browser_cmd=person(setting.folder, delay=0.3), deadline=20)
    await setting.store.save(setting.key, OLD)
    credentials = setting.make()
    await credentials.current()
    await credentials.begin()
    await credentials.begin()
    assert credentials.status().signing_in
    assert await credentials.current() == OLD
    await until(lambda: not credentials.status().signing_in)
    assert await credentials.current() == FRESH
    assert len(setting.server.logins) == 1


async def test_a_refusal_joins_the_sign_in_that_was_asked_for_and_clears_the_store(setting: Setting) -> None:
    setting.nobody_answers()
    await setting.store.save(setting.key, OLD)
    credentials = setting.make()
    await credentials.current()
    await credentials.begin()
    setting.tasks.start_soon(_fails, credentials, OLD)
    await until(lambda: credentials.status().url)
    assert await credentials.current() is None
    assert await setting.store.load(setting.key) is None
    await credentials.cancel()
    assert len(setting.server.logins) == 1


async def test_signing_in_waits_until_the_page_is_seen_and_the_token_saved(server: LoginServer, tmp_path: Path) -> None:
    store = SlowStore()
    async with scene(server, tmp_path) as setting:  # ends as a command ends: everything is cancelled
        setting.store = store
        assert await setting.make().sign_in() == FRESH
        assert store.saves == 1
    await until(lambda: (tmp_path / "page").exists() and (tmp_path / "page").read_text())
    assert "You are signed in" in (tmp_path / "page").read_text()


async def test_signing_in_joins_a_renewal_that_finds_its_token_in_the_store(setting: Setting) -> None:
    store = setting.store = SlowStore()
    credentials = setting.make()
    assert await credentials.current() is None
    await store.save(setting.key, FRESH)
    setting.tasks.start_soon(credentials.renew, None)
    await anyio.sleep(0.01)
    assert await credentials.sign_in() == FRESH
    assert setting.server.logins == []


async def test_signing_in_ends_with_the_failure_of_the_sign_in(setting: Setting) -> None:
    setting.server.answer = Answer(status=404, body=b"")
    with pytest.raises(SignInFailed, match="404"):
        await setting.make().sign_in()


async def test_pasting_ends_a_sign_in_that_was_asked_for(setting: Setting) -> None:
    setting.nobody_answers()
    credentials = setting.make()
    got: list[Token] = []

    async def login() -> None:
        got.append(await credentials.sign_in())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(login)
        await until(lambda: credentials.status().url)
        await credentials.paste(OLD.value)
    assert got == [OLD]
    assert await setting.store.load(setting.key) == OLD


async def test_asking_for_it_goes_before_a_look_into_the_store(setting: Setting) -> None:
    setting.store = SlowStore()
    credentials = setting.make(interactive=False)
    setting.tasks.start_soon(_fails, credentials)
    await anyio.sleep(0.01)
    assert await credentials.sign_in() == FRESH


# Pasting


@pytest.mark.parametrize("text", [FRESH.value, f"  http://127.0.0.1:1/x?pomerium_jwt={FRESH.value}\n"])
async def test_pasting_finishes_the_sign_in_for_all_who_wait(setting: Setting, text: str) -> None:
    setting.nobody_answers()
    credentials = setting.make()
    got: list[Token] = []

    async def connection() -> None:
        got.append(await credentials.renew(None))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(connection)
        await until(lambda: credentials.status().signing_in)
        with pytest.raises(SignInFailed):
            await credentials.paste("no token in here")
        assert credentials.status().signing_in
        assert await credentials.paste(text) == FRESH
    assert got == [FRESH] * 3
    assert await setting.store.load(setting.key) == FRESH


async def test_pasting_without_a_sign_in_saves_the_token(setting: Setting) -> None:
    credentials = setting.make()
    await credentials.paste(FRESH.value)
    assert await setting.store.load(setting.key) == FRESH
    assert await credentials.current() == FRESH
    assert setting.server.logins == []


async def test_what_was_pasted_while_the_store_was_read_is_newer(setting: Setting) -> None:
    setting.store = SlowStore()
    await setting.store.save(setting.key, OLD)
    credentials = setting.make()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(credentials.current)
        await anyio.sleep(0.01)
        tasks.start_soon(credentials.paste, FRESH.value)
    assert await credentials.current() == FRESH
    assert await setting.store.load(setting.key) == FRESH


# Signing out


async def test_signing_out_forgets_everywhere_and_ends_a_sign_in(setting: Setting) -> None:
    setting.nobody_answers()
    await setting.store.save(setting.key, OLD)
    credentials = setting.make()
    await credentials.current()
    await credentials.begin()
    await credentials.sign_out()
    assert await credentials.current() is None
    assert await setting.store.load(setting.key) is None
    assert credentials.status().status == "signed out"
    assert not credentials.status().signing_in


async def test_signing_out_before_anything_was_read_deletes_as_well(setting: Setting) -> None:
    await setting.store.save(setting.key, OLD)
    credentials = setting.make()
    await credentials.sign_out()
    assert await setting.store.load(setting.key) is None


async def test_a_save_on_its_way_does_not_undo_a_sign_out(setting: Setting) -> None:
    store = setting.store = HeldStore()
    credentials = setting.make()
    setting.nobody_answers()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(credentials.paste, OLD.value)
        await store.saving.wait()
        tasks.start_soon(credentials.paste, FRESH.value)  # waits for its turn
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(credentials.sign_out)
        await anyio.wait_all_tasks_blocked()
        store.may_save.set()
    assert await store.load(setting.key) is None
    assert store.saves == 1


async def test_a_token_that_can_not_be_deleted_is_an_error(setting: Setting) -> None:
    setting.store = BrokenStore()
    credentials = setting.make()
    with pytest.raises(StoreError, match="disk is gone"):
        await credentials.sign_out()
    assert await credentials.current() is None


# The store


async def test_a_store_that_fails_is_a_note_and_the_token_stays_in_memory(setting: Setting) -> None:
    setting.store = BrokenStore()
    credentials = setting.make()
    assert await credentials.current() is None
    status = credentials.status()
    assert (status.store, status.note) == ("memory", "the disk is gone Buy another.")
    assert await credentials.renew(None) == FRESH
    await until(lambda: credentials.status().note)
    assert await credentials.current() == FRESH
    assert credentials.status().status == "signed in"
    assert credentials.status().problem is None


async def test_a_file_that_others_can_read_is_noted_and_the_sign_in_replaces_it(setting: Setting) -> None:
    store = setting.store = FileStore(setting.folder / "tokens")
    await store.save(setting.key, OLD)
    store.path_of(setting.key).chmod(0o644)
    credentials = setting.make()
    assert await credentials.current() is None
    assert "can be reached by others" in credentials.status().note
    assert await credentials.renew(None) == FRESH
    await until(lambda: not credentials.status().note)
    assert await store.load(setting.key) == FRESH
    assert credentials.status().store == "file"


async def test_who_waits_goes_on_before_a_slow_store_has_saved(setting: Setting) -> None:
    store = setting.store = HeldStore()
    credentials = setting.make()
    await credentials.renew(None)
    assert store.saves == 0
    store.may_save.set()
    await until(lambda: store.saves)


async def test_a_token_is_saved_even_when_all_ends_right_after_the_sign_in(server: LoginServer, tmp_path: Path) -> None:
    store = SlowStore()
    async with scene(server, tmp_path) as setting:
        setting.store = store
        credentials = setting.make()
        assert await credentials.renew(None) == FRESH
        assert store.saves == 0
    assert await store.load(credentials.key) == FRESH


# Service accounts


async def test_a_service_account_goes_before_everything_and_is_never_stored(setting: Setting) -> None:
    await setting.store.save(setting.key, OLD)
    credentials = setting.make(service_account=ServiceAccount("robot"))
    assert await credentials.current() == Token("robot")
    assert await credentials.renew(None) == Token("robot")
    status = credentials.status()
    assert (status.status, status.store) == ("service account", "")
    await credentials.sign_out()
    assert await credentials.current() == Token("robot")
    assert await setting.store.load(setting.key) == OLD
    assert setting.server.logins == []


@pytest.mark.parametrize(("claims", "word"), [({"sub": "robot"}, "revoked"), ({"exp": 1}, "It has expired.")])
async def test_a_refused_service_account_is_an_error_with_its_own_code(
    setting: Setting, claims: dict[str, object], word: str
) -> None:
    token = jwt(**claims)
    credentials = setting.make(service_account=ServiceAccount(token, place="--service-account"))
    await credentials.current()
    with pytest.raises(AuthError) as caught:
        await credentials.renew(Token(token))
    assert caught.value.code == "service_account"
    assert word in caught.value.hint
    assert "--service-account" in caught.value.hint
    assert not isinstance(caught.value, SignInFailed)
    assert credentials.status().problem is caught.value
    assert setting.server.logins == []


async def test_a_service_account_file_is_read_again_when_its_token_is_refused(setting: Setting) -> None:
    path = setting.folder / "account"
    path.write_text("first\n")
    credentials = setting.make(service_account=ServiceAccount(file=path))
    assert await credentials.current() == Token("first")
    path.write_text("second\n")
    assert await credentials.current() == Token("first")
    assert await credentials.renew(Token("first")) == Token("second")
    assert await credentials.current() == Token("second")
    path.unlink()
    with pytest.raises(ConfigError, match="account"):
        await credentials.renew(Token("second"))


async def test_with_a_service_account_nobody_signs_in(setting: Setting) -> None:
    credentials = setting.make(service_account=ServiceAccount("robot"))
    for operation in (credentials.begin(), credentials.sign_in(), credentials.paste(FRESH.value)):
        with pytest.raises(AuthError) as caught:
            await operation
        assert caught.value.code == "service_account"
    assert await setting.store.load(setting.key) is None


# Secrets


async def test_no_log_line_holds_a_token(setting: Setting, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="tunnelui")
    caplog.set_level("DEBUG", logger="asyncio")
    credentials = setting.make()
    assert await credentials.renew(None) == FRESH
    assert FRESH.value not in caplog.text
    assert FRESH.value not in repr(credentials.status())


async def test_another_program_on_this_machine_can_not_slip_its_token_in(setting: Setting) -> None:
    setting.nobody_answers()
    credentials = setting.make()
    await credentials.begin()
    await until(lambda: setting.server.logins)
    port = httpx.URL(setting.server.logins[0].redirect_uri).port
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{port}/?pomerium_jwt={OLD.value}")
    assert answer.status_code == 404
    assert credentials.status().signing_in
    assert await credentials.current() is None
    await credentials.cancel()


# Signing in elsewhere


async def test_a_refresh_ends_a_sign_in_by_a_token_that_is_new(setting: Setting) -> None:
    setting.nobody_answers()
    credentials = setting.make()
    old, new = OLD, FRESH
    await setting.store.save(setting.key, old)
    assert await credentials.current() == old
    tokens: list[Token] = []

    async def connection() -> None:
        tokens.append(await credentials.renew(old))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(connection)
        await until(lambda: credentials.status().url)
        await setting.store.save(setting.key, old)
        await credentials.refresh()  # the one that was refused is no news
        assert credentials.status().signing_in
        await setting.store.save(setting.key, new)
        await credentials.refresh()
    assert tokens == [new]
    assert await credentials.current() == new
    assert not credentials.status().signing_in


async def test_a_token_that_another_process_puts_into_the_file_ends_a_sign_in(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tunnelui.auth.sign_in._LOOK", 0.05)
    setting.nobody_answers()
    setting.store = FileStore(setting.folder / "tokens")
    credentials = setting.make()
    new = FRESH

    async def elsewhere() -> None:
        await until(lambda: credentials.status().url)
        await anyio.sleep(0.2)
        assert credentials.status().signing_in
        await FileStore(setting.folder / "tokens").save(setting.key, new)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(elsewhere)
        # The one that is there is none: the person wants another, or is another.
        await setting.store.save(setting.key, OLD)
        assert await credentials.sign_in() == new
    assert not credentials.status().signing_in


@pytest.mark.parametrize("first", ["signs in", "gives up"])
async def test_of_several_processes_one_opens_a_browser(
    setting: Setting, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    monkeypatch.setattr("tunnelui.auth.sign_in._LOOK", 0.05)
    setting.store = FileStore(setting.folder / "tokens")
    setting.options = replace(
        setting.options, browser_cmd=person(setting.folder, delay=0.5), turns=lambda: setting.folder
    )
    waiting = [setting.make() for _ in range(3)]  # each with locks of its own
    tokens: list[Token] = []

    async def connection(credentials: Credentials) -> None:
        with suppress(SignInFailed):
            tokens.append(await credentials.renew(None))

    async with anyio.create_task_group() as tasks:
        for credentials in waiting:
            tasks.start_soon(connection, credentials)
        if first == "gives up":
            await until(lambda: sum(bool(one.status().sign_in_note) for one in waiting) == 2)
            (holder,) = [one for one in waiting if not one.status().sign_in_note]
            await holder.cancel()
    assert tokens == [FRESH] * (3 if first == "signs in" else 2)
    assert len(opened(setting.folder)) == (1 if first == "signs in" else 2)
    # Who asks for a sign-in gets one, whatever the others do.
    await waiting[0].begin()
    await until(lambda: len(opened(setting.folder)) == (2 if first == "signs in" else 3))


async def test_a_process_alone_waits_for_nobody(setting: Setting) -> None:
    setting.options = replace(setting.options, turns=lambda: setting.folder / "missing")
    assert await setting.make().renew(None) == FRESH
