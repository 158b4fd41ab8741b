"""Sessions: the model, the stores that keep them, and the tokens that name them."""

from tunnelui_server.sessions.model import Session, new_session_id
from tunnelui_server.sessions.opening import open_store
from tunnelui_server.sessions.presented import find_token
from tunnelui_server.sessions.store import SessionStore, StoreError
from tunnelui_server.sessions.tokens import InvalidToken, TokenSigner, token_issuer

__all__ = [
    "InvalidToken",
    "Session",
    "SessionStore",
    "StoreError",
    "TokenSigner",
    "find_token",
    "new_session_id",
    "open_store",
    "token_issuer",
]
