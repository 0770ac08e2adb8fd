from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from portal.roles import grant

SEEN = ["updates.view_imagecheck"]
DONE = ["updates.check_image"]
GRANTS = {"viewer": SEEN, "operator": SEEN + DONE, "approver": SEEN, "administrator": SEEN + DONE}


def let_them(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    grant(apps, editor, GRANTS)


class Migration(migrations.Migration):
    dependencies = [
        ("portal", "0012_container_checks"),
        ("updates", "0024_image_checks"),
    ]
    operations = [migrations.RunPython(let_them, migrations.RunPython.noop)]
