from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from portal.roles import grant

SEEN = ["updates.view_watchedcontainer", "updates.view_backup"]
DONE = [
    "updates.upgrade_container",
    "updates.add_watchedcontainer",
    "updates.change_watchedcontainer",
    "updates.add_backup",
]
APPROVED = ["updates.force_container", "updates.restore_backup", "updates.delete_backup"]
GRANTS = {
    "viewer": SEEN,
    "operator": SEEN + DONE,
    "approver": SEEN + APPROVED,
    "administrator": SEEN + DONE + APPROVED + ["updates.upgrade_portal"],
}


def let_them(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    grant(apps, editor, GRANTS)


class Migration(migrations.Migration):
    dependencies = [
        ("portal", "0010_image_removals"),
        ("updates", "0019_watched_containers"),
    ]
    operations = [migrations.RunPython(let_them, migrations.RunPython.noop)]
