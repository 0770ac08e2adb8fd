from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from portal.roles import grant

SEEN = ["updates.view_installation", "updates.view_moduleorder"]
DONE = ["updates.change_installation", "updates.order_module"]
ANSWERED_FOR = ["updates.override_module"]
GRANTS = {
    "viewer": SEEN,
    "operator": SEEN + DONE,
    "approver": SEEN + ANSWERED_FOR,
    "administrator": SEEN + DONE + ANSWERED_FOR,
}


def let_them(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    grant(apps, editor, GRANTS)


class Migration(migrations.Migration):
    dependencies = [
        ("portal", "0006_patches"),
        ("updates", "0016_module_installations"),
    ]
    operations = [migrations.RunPython(let_them, migrations.RunPython.noop)]
