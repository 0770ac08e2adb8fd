from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from portal.roles import grant

SEEN = ["updates.view_repository"]
DONE = ["updates.fetch_repository"]
SET_UP = ["updates.add_repository", "updates.change_repository", "updates.delete_repository"]
GRANTS = {
    "viewer": SEEN,
    "operator": SEEN + DONE,
    "approver": SEEN,
    "administrator": SEEN + DONE + SET_UP,
}


def let_them(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    grant(apps, editor, GRANTS)


class Migration(migrations.Migration):
    dependencies = [
        ("portal", "0008_engines"),
        ("updates", "0017_repositories"),
    ]
    operations = [migrations.RunPython(let_them, migrations.RunPython.noop)]
