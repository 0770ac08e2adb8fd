"""Who asks: a person, a program with a person's token, or the portal itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User

from portal.core.errors import NotPermitted


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever gives an order. `user` is None for the portal itself, which may do what its own code asks for."""

    name: str
    user: User | None = None

    @property
    def id(self) -> int | None:
        return self.user.pk if self.user else None

    def may(self, permission: str) -> bool:
        """Whether the actor holds `permission` ("updates.deploy_artifact")."""
        return self.user is None or self.user.has_perm(permission)

    def require(self, permission: str) -> None:
        """Nothing happens, or NotPermitted: every effect asks for its own permission."""
        if not self.may(permission):
            raise NotPermitted(f"{self.name} lacks the permission {permission}.")


PORTAL: Final = Actor("portal")


def actor_of(user: AbstractBaseUser | AnonymousUser) -> Actor:
    """The actor behind a logged-in user. NotPermitted for anybody else."""
    if not isinstance(user, User) or not user.is_active:
        raise NotPermitted("Log in first.")
    return Actor(user.get_username(), user)
