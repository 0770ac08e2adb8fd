from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from portal.roles import grant

GRANTS = {
    role: ["updates.view_containercheck"]
    for role in ("viewer", "operator", "approver", "administrator")
}


def let_them(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    grant(apps, editor, GRANTS)


class Migration(migrations.Migration):
    dependencies = [
        ("portal", "0011_watched_containers"),
        ("updates", "0021_container_checks"),
    ]
    operations = [migrations.RunPython(let_them, migrations.RunPython.noop)]
