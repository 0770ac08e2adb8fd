"""All settings. Every number has its unit in its name; what an operator may set comes from the environment (README)."""

from portal.settings.access import *  # noqa: F403
from portal.settings.api import *  # noqa: F403
from portal.settings.django import *  # noqa: F403
from portal.settings.fleet import *  # noqa: F403
from portal.settings.own_upgrade import *  # noqa: F403
from portal.settings.storage import *  # noqa: F403
