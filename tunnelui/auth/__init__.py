"""Sign-in, tokens and where they are kept.

`credentials.Credentials` is what an engine or a command holds, one per profile and proxy: it knows the token that
counts, runs the one sign-in that everybody shares, and keeps the result in a `token_store.TokenStore`
(`stores.open_store`: keyring, file or memory). Import from the modules; this package hands on nothing, so that each
user pays for what it uses. Neither keyring nor httpx is imported before it is needed.
"""
