"""`manage.py seed`: a demo fleet, with a history that really took place, only faster."""

from __future__ import annotations

import logging
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from portal.core.actors import PORTAL
from portal.core.errors import Refused
from portal.demo import story
from portal.demo.library import artifact
from portal.management.first_start import (
    migrate,
    refuse_missing_database,
    register_this_machine,
)
from updates.models import Upgrade
from updates.services.upgrades import apply_artifact

LIVE = "kiosk-app-2.0"


class Command(BaseCommand):
    help = "Fills an empty portal with a demo fleet and eight weeks of history. Safe to repeat."

    def handle(self, *_args: object, **_options: object) -> None:
        logging.getLogger().setLevel(logging.ERROR)  # a line for each chapter says enough
        try:
            refuse_missing_database()
            migrate()
            for chapter in story.tell():
                self.stdout.write(f"Told: {chapter}.")
                self.stdout.flush()
        except Refused as error:
            raise CommandError(str(error)) from None
        self._order_one_live()
        self.stdout.write(f"The history holds {Upgrade.objects.count()} upgrades.")

    def _order_one_live(self) -> None:
        device = register_this_machine(Path(settings.LOCALHOST_ROOT))
        if device.upgrades.exists():
            return
        apply_artifact(
            device=device,
            artifact=artifact(LIVE, by=PORTAL),
            actor=PORTAL,
            reason="The demo, live: watch it as soon as a worker runs",
        )
        self.stdout.write(f"Ordered {LIVE} for localhost: it starts as soon as a worker runs.")
