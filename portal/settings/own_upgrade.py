"""The portal's own upgrade by its watchdog: what the containers of both are told alike."""

from __future__ import annotations

from pathlib import Path

from portal.settings.environment import VAR_DIR, env

AUTO_UPGRADE_ENABLED = env.bool("AUTO_UPGRADE_ENABLED", default=False)
"""True where the overlay compose.upgrade.yaml has started a watchdog beside the portal."""
DATA_DIR = Path(env("DATA_DIR", default=str(VAR_DIR)))
"""What the portal and its watchdog both see: the portal's data, with the files that they leave for each other."""
CONTAINER_NAME = env("CONTAINER_NAME", default="fleetwright")
UNPUBLISHED = "fleetwright"
IMAGE_NAME = env("IMAGE_NAME", default=UNPUBLISHED)
"""The repository of the portal's image, without a tag. As it is by default no registry has it."""
PORTAL_UPGRADE_LIMIT_SECONDS = env.int("PORTAL_UPGRADE_LIMIT_SECONDS", default=1800)
"""How long the portal's own upgrade may take until it is ended."""
FOLLOW_SECONDS = env.int("FOLLOW_SECONDS", default=2)
"""How often the scheduler takes what the watchdog has written down into the history."""
