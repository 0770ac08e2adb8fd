"""The recipe of a module update, with the device's engine, its registries and the portal's settings behind it."""

from __future__ import annotations

from contextlib import ExitStack

from django.conf import settings

from devices import services as devices
from devices.drivers.dial import Dial
from devices.drivers.engine import Engine, Platform
from devices.drivers.registry import Manifest, resolve
from devices.drivers.shell import Shell
from devices.services.engines import opened_engine, registry_login
from updates.machine import Outcome
from updates.models import Installation, Upgrade, WatchedContainer
from updates.plan import ContainerPlan, ModulePlan
from updates.recipes.engine_images import Images
from updates.recipes.health_gate import HealthGate
from updates.recipes.module.clearing import Retention
from updates.recipes.module.recipe import Health, ModuleRecipe


def module_recipe(upgrade: Upgrade, shell: Shell, *, ways: ExitStack) -> ModuleRecipe:
    """The recipe for the upgrade's plan. The ways to the engine and to the device's ports stay open until `ways` is closed."""
    plan = ModulePlan.from_json(upgrade.plan)
    engine = ways.enter_context(opened_engine(upgrade.device))
    dial = ways.enter_context(devices.dialled(upgrade.device))
    return ModuleRecipe(
        plan,
        shell,
        engine,
        images=images_of(plan, engine),
        health=Health(health_gate(shell, engine, dial), settings.HEALTH_LIMIT_SECONDS),
        retention=Retention(lambda: ways_back(upgrade), lambda: needed_by_others(plan)),
        kill_after_seconds=settings.KILL_AFTER_SECONDS,
    )


def images_of(plan: ModulePlan | ContainerPlan, engine: Engine) -> Images:
    """The images of the plan's upgrade, with the portal's logins at registries."""
    return Images(
        engine,
        upgrade=plan.upgrade,
        # What a container runs from is on the engine under that name: only the registry knows of something newer.
        force=plan.force or isinstance(plan, ContainerPlan),
        ask_registry=ask_registry,
        login_for=registry_login,
    )


def health_gate(shell: Shell, engine: Engine, dial: Dial) -> HealthGate:
    """The gate as the settings have it."""
    return HealthGate(
        shell,
        engine,
        dial,
        passes_in_a_row=settings.HEALTH_PASSES,
        pause_seconds=settings.HEALTH_PAUSE_SECONDS,
    )


def ways_back(upgrade: Upgrade) -> set[str]:
    """The newest upgrades of the instance, by their ids: those that changed it, and those that broke it and wait for somebody.

    What was taken back, and what took it back, is none of them.
    """
    rows = (
        Upgrade.objects.filter(
            kind=upgrade.kind,
            instance=upgrade.instance_id,
            unchanged=False,
            outcome__in=[Outcome.SUCCEEDED, Outcome.BROKEN],
        )
        .exclude(undone_by__outcome=Outcome.SUCCEEDED)
        .exclude(undoes__undone_by__outcome=Outcome.SUCCEEDED)
    )
    newest = rows.exclude(pk=upgrade.pk).order_by("-created_at", "-id")
    return {str(pk) for pk in newest.values_list("pk", flat=True)[: settings.KEPT_WAYS_BACK - 1]}


def ask_registry(reference: str, platform: Platform) -> Manifest:
    """What the reference's registry has for the platform, asked with the portal's login there."""
    return resolve(
        reference,
        platform=platform,
        login=registry_login(reference),
        limit_seconds=settings.REGISTRY_LIMIT_SECONDS,
    )


def needed_by_others(plan: ModulePlan | ContainerPlan) -> set[str]:
    """References that other instances on the device have in force."""
    rows = Installation.objects.filter(
        instance__device=plan.device.id, uninstalled_at=None
    ).exclude(instance=plan.instance_id)
    watched = WatchedContainer.objects.filter(
        instance__device=plan.device.id, unwatched_at=None
    ).exclude(instance=plan.instance_id)
    needed = {reference for images in rows.values_list("images", flat=True) for reference in images}
    return needed | set(watched.values_list("image", flat=True))
