"""Modules and their instances: plain rows that people keep."""

from __future__ import annotations

from typing import Final

from django.core.exceptions import ValidationError
from django.db import transaction

from portal.core import audit
from portal.core.actors import Actor
from portal.core.edits import changes_of, require_save
from updates.models import Installation, Instance, Module

MODULE_FIELDS: Final = ("name", "runtime", "source", "notes")
INSTANCE_FIELDS: Final = ("name", "module", "device", "version")


def save_module(*, module: Module, actor: Actor) -> Module:
    """The module, new or edited, is as given. Django's ValidationError, by field, when that cannot be.

    What a module's processes are made of stays as it is once it has instances.
    """
    require_save(module, actor=actor)
    module.full_clean()
    changes = changes_of(module, fields=MODULE_FIELDS)
    if not module._state.adding and "runtime" in changes and module.instances.exists():
        raise ValidationError(
            {"runtime": "It has instances: a module of another runtime is a new one."}
        )
    with transaction.atomic():
        action = "module.add" if module._state.adding else "module.change"
        module.save()
        audit.record(actor=actor, action=action, subject=module, data={"changes": changes})
    return module


def save_instance(*, instance: Instance, actor: Actor) -> Instance:
    """The instance, new or renamed, is as given. Django's ValidationError, by field, when that cannot be.

    Its module and device stay, for the history speaks of them; its version changes with an installation only.
    """
    require_save(instance, actor=actor)
    # One whose installation has not succeeded yet has no version.
    instance.full_clean(exclude=[] if instance._state.adding else ["version"])
    changes = changes_of(instance, fields=INSTANCE_FIELDS)
    if not instance._state.adding and (fixed := sorted(set(changes) - {"name"})):
        raise ValidationError(dict.fromkeys(fixed, "It stays as it is."))
    if "name" in changes and is_installed(instance):
        raise ValidationError({"name": "It is called so on its device: it stays as it is."})
    with transaction.atomic():
        action = "instance.add" if instance._state.adding else "instance.change"
        instance.save()
        audit.record(actor=actor, action=action, subject=instance, data={"changes": changes})
    return instance


def is_installed(instance: Instance) -> bool:
    """Whether it stands on its device under its name, as a module image has installed it or is about to."""
    there = Installation.objects.filter(instance=instance.pk, uninstalled_at=None)
    return instance.pk is not None and there.exists()
