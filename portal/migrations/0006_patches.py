from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from portal.roles import grant

SEEN = [
    "updates.view_module", "updates.view_instance", "patches.view_patch", "patches.view_node", "patches.view_patchcheck",
    "patches.view_noderesult", "patches.view_application", "patches.view_keptfiles",
]  # fmt: skip
DONE = [
    "updates.add_module", "updates.change_module", "updates.add_instance", "updates.change_instance", "patches.upload_patch",
    "patches.check_patch", "patches.apply_patch", "patches.delete_patch", "patches.look_at_node", "patches.restart_node",
]  # fmt: skip
ANSWERED_FOR = ["patches.override_patch"]
SET_UP = ["patches.add_node", "patches.change_node", "patches.delete_node", "patches.set_restart_command"]
GRANTS = {
    "viewer": SEEN,
    "operator": SEEN + DONE,
    "approver": SEEN + ANSWERED_FOR,
    "administrator": SEEN + DONE + ANSWERED_FOR + SET_UP,
}


def let_them(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    grant(apps, editor, GRANTS)


class Migration(migrations.Migration):
    dependencies = [
        ("portal", "0005_module_checks"),
        ("patches", "0001_initial"),
        ("updates", "0015_modules_and_instances"),
    ]
    operations = [migrations.RunPython(let_them, migrations.RunPython.noop)]
