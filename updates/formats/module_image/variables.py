"""The variables that name a module's images in its environment, and what was in force before under `PREV_`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from portal.core.quoting import quoted
from updates.errors import ModuleRefused

PREVIOUS: Final = "PREV_"

_TO_UNDERSCORE: Final = str.maketrans("-.+ ", "____")


def image_variable(reference: str) -> str:
    """The variable for a service image: MYSQL_IMAGE for `docker.io/library/mysql:10.3`. Tag, digest and host may be missing."""
    name = reference.partition("@")[0].rpartition("/")[2].partition(":")[0]
    word = name.translate(_TO_UNDERSCORE).upper()
    return f"{'I' if word[:1].isdigit() else ''}{word}_IMAGE"


def image_variables(
    *, module_url: str, image_id: str, digest: str, repo_digest: str, services: Iterable[str]
) -> dict[str, str]:
    """What an environment says once this image is in force: the module's own image, and each service image's reference.

    Raises ModuleRefused when two images would share a variable.
    """
    wanted = {
        "IMAGE_ID": image_id,
        "IMAGE_URL": module_url,
        "IMAGE_DIGEST": digest,
        "IMAGE_REOPODIGEST": repo_digest,  # so misspelt from the first release on; modules read it
    }
    for service in services:
        variable = image_variable(service)
        named = wanted.setdefault(variable, service)
        if named != service:
            raise ModuleRefused(
                "same-variable",
                f"The service images {quoted(named)} and {quoted(service)} would both be named by {variable}.",
            )
        if variable.startswith(PREVIOUS):
            raise ModuleRefused(
                "same-variable",
                f"The service image {quoted(service)} would be named by {variable}, which is kept for what was before.",
            )
    return wanted


def patch(current: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str | None]:
    """What to change so that `wanted` is in force, and `PREV_` of each says what was. None: the variable must go.

    What was not there before has no `PREV_`; one that is left from an earlier update goes.
    """
    before = {f"{PREVIOUS}{key}": current.get(key) for key in wanted}
    return {**before, **wanted}
