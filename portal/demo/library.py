"""The demo's artifacts and Update Modules, uploaded as an operator would."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from django.core.files import File

from portal.core import clock
from portal.core.actors import Actor
from updates.models import Artifact, UpdateModule
from updates.services.artifacts import upload_artifact, upload_update_module

HERE: Final = Path(__file__).parent


def upload_modules(actor: Actor) -> None:
    """Both Update Modules of the demo are here."""
    for path in sorted((HERE / "update_modules").iterdir()):
        with path.open("rb") as content:
            module = upload_update_module(name=path.name, file=File(content), actor=actor)
        UpdateModule.objects.filter(pk=module.pk).update(uploaded_at=clock.now())


def artifact(name: str, *, by: Actor) -> Artifact:
    """The demo's artifact `name`, uploaded now if it was not before."""
    known = Artifact.objects.filter(name=name).first()
    if known is not None:
        return known
    with (HERE / "artifacts" / f"{name}.mender").open("rb") as content:
        uploaded = upload_artifact(file=File(content), actor=by)
    # Django fills this column in by itself, with the time that it is outside the demo.
    Artifact.objects.filter(pk=uploaded.pk).update(uploaded_at=clock.now())
    return uploaded
