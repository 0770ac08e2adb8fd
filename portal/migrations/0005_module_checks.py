from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from portal.roles import grant

GRANTS = {
    role: ["updates.view_modulecheck"] for role in ("viewer", "operator", "approver", "administrator")
}


def let_them_look(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    grant(apps, editor, GRANTS)


class Migration(migrations.Migration):
    dependencies = [
        ("portal", "0004_releases_and_keys"),
        ("updates", "0013_module_checks"),
    ]
    operations = [migrations.RunPython(let_them_look, migrations.RunPython.noop)]
