"""Modules as images: what their labels ask for, the files and scripts that they bring, the environment of an instance.

An image of this kind is not run. It is a package: built from nothing, with a directory `imageroot` whose files are installed
for the instance, and with labels that name the images of the services. Everything here is pure: nothing is changed, what
cannot be taken is refused with `ModuleRefused`, its stable `rule` and one sentence.
"""

from updates.formats.module_image.environment import (
    Environment,
    patched,
    read_environment,
    write_environment,
)
from updates.formats.module_image.imageroot import DEFAULT_ROOT, entries, survey
from updates.formats.module_image.labels import LabelFinding, ModuleLabels
from updates.formats.module_image.limits import Limits
from updates.formats.module_image.listing import (
    Kind,
    Listed,
    Listing,
    no_longer_required,
    read_list,
)
from updates.formats.module_image.update_scripts import (
    ACTION,
    OUR_STEPS,
    SCRIPTS,
    Script,
    Step,
    action_scripts,
    steps,
    update_scripts,
)
from updates.formats.module_image.variables import (
    PREVIOUS,
    image_variable,
    image_variables,
    patch,
)

__all__ = [
    "ACTION",
    "DEFAULT_ROOT",
    "OUR_STEPS",
    "PREVIOUS",
    "SCRIPTS",
    "Environment",
    "Kind",
    "LabelFinding",
    "Limits",
    "Listed",
    "Listing",
    "ModuleLabels",
    "Script",
    "Step",
    "action_scripts",
    "entries",
    "image_variable",
    "image_variables",
    "no_longer_required",
    "patch",
    "patched",
    "read_environment",
    "read_list",
    "steps",
    "survey",
    "update_scripts",
    "write_environment",
]
