from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from portal.roles import grant

VIEW = ["updates.view_release", "updates.view_trustedkey", "updates.view_signingkey"]
GRANTS = {
    "viewer": VIEW,
    "operator": [
        *VIEW,
        "updates.change_release",
        "updates.withdraw_release",
        "updates.use_signingkey",
    ],
    "approver": [*VIEW, "updates.withdraw_release"],
    "administrator": [
        *VIEW,
        "updates.change_release",
        "updates.withdraw_release",
        "updates.use_signingkey",
        "devices.guard_devicegroup",
        "updates.add_trustedkey",
        "updates.delete_trustedkey",
        "updates.add_signingkey",
        "updates.delete_signingkey",
    ],
}


def let_them(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    grant(apps, editor, GRANTS)


class Migration(migrations.Migration):
    dependencies = [
        ("devices", "0005_signed_only"),
        ("portal", "0003_share_saved_filters"),
        ("updates", "0012_keys"),
    ]
    operations = [migrations.RunPython(let_them, migrations.RunPython.noop)]
