"""Putting back what was: files, environment, units, image tags and data of one instance, as an upgrade has kept them."""

from __future__ import annotations

from devices.drivers.engine import Engine
from updates.plan import ModulePlan
from updates.recipes.engine_images import Images
from updates.recipes.module.keeping import Keeping, Kept
from updates.recipes.module.services import Services
from updates.recipes.module.tree import Tree
from updates.recipes.patience import patiently
from updates.runner import Context


class WayBack:
    """For one plan, from what itself or an earlier upgrade has kept."""

    def __init__(
        self,
        plan: ModulePlan,
        engine: Engine,
        *,
        images: Images,
        tree: Tree,
        services: Services,
        keeping: Keeping,
    ) -> None:
        self._plan = plan
        self._engine = engine
        self._images = images
        self._tree = tree
        self._services = services
        self._keeping = keeping

    def quiet(self, context: Context, kept: Kept, *, with_data: bool) -> None:
        """What did not run by then does not run now; nothing does where data is to be put back."""
        now = self._services.running(context)
        self._services.stop(context, [one for one in now if with_data or one not in kept.ran])

    def put_back(self, context: Context, kept: Kept, *, kept_of: str, with_data: bool) -> None:
        """All but the files is as `kept_of` found it, and the service manager knows its units again."""
        if with_data:
            self._tree.put_back_state(context, kept_of=kept_of)
            self._keeping.put_back_volumes(context, kept_of=kept_of)
        self._tree.put_back_environment(context, kept_of=kept_of)
        self._tree.put_back_units(context, kept_of=kept_of)
        patiently(context, self._engine, lambda: self._images.put_back(kept.images))
        self._services.reload(context)
