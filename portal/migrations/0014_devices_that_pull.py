from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from portal.roles import grant

SEEN = ["devices.view_authset"]
DECIDED = ["devices.decide_authset"]
ENDED = ["devices.decommission_device"]
GRANTS = {
    "viewer": SEEN,
    "operator": SEEN + DECIDED,
    "approver": SEEN,
    "administrator": SEEN + DECIDED + ENDED,
}


def let_them(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    grant(apps, editor, GRANTS)


class Migration(migrations.Migration):
    dependencies = [
        ("portal", "0013_image_checks"),
        ("devices", "0008_devices_that_pull"),
    ]
    operations = [migrations.RunPython(let_them, migrations.RunPython.noop)]
