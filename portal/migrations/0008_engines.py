from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from portal.roles import grant

SEEN = ["devices.view_engineaccess", "devices.view_registrylogin"]
SET_UP = [
    "devices.add_engineaccess", "devices.change_engineaccess", "devices.delete_engineaccess", "devices.add_registrylogin",
    "devices.change_registrylogin", "devices.delete_registrylogin",
]  # fmt: skip
GRANTS = {"viewer": SEEN, "operator": SEEN, "approver": SEEN, "administrator": SEEN + SET_UP}


def let_them(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    grant(apps, editor, GRANTS)


class Migration(migrations.Migration):
    dependencies = [
        ("portal", "0007_module_orders"),
        ("devices", "0006_engines_and_registries"),
    ]
    operations = [migrations.RunPython(let_them, migrations.RunPython.noop)]
