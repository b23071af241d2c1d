"""Who the user is to a registry."""

from __future__ import annotations

from typing import NamedTuple


class Credentials(NamedTuple):
    """User and password; an identity token is a password without a user; both are empty for nobody."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials(user={self.user!r})"
