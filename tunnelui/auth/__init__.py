"""Sign-in, tokens and where they are kept.

`Credentials` is what an engine or a command holds, one per profile and proxy: it knows the token that counts, runs the
one sign-in that everybody shares, and keeps the result in a `TokenStore` (`open_store`: keyring, file or memory).
Neither keyring nor httpx is imported before it is needed.
"""

from __future__ import annotations

from tunnelui.auth.credentials import Credentials, CredentialStatus
from tunnelui.auth.service_account import ServiceAccount
from tunnelui.auth.sign_in import SignInOptions
from tunnelui.auth.stores import STORE_KINDS, MemoryStore, open_store
from tunnelui.auth.token_store import StoreError, TokenKey, TokenStore
from tunnelui.auth.tokens import Token

__all__ = [
    "STORE_KINDS",
    "CredentialStatus",
    "Credentials",
    "MemoryStore",
    "ServiceAccount",
    "SignInOptions",
    "StoreError",
    "Token",
    "TokenKey",
    "TokenStore",
    "open_store",
]
