from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from portal.roles import grant

GRANTS = {
    "operator": ["core.share_savedfilter"],
    "administrator": ["core.share_savedfilter"],
}


def let_operators_share(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    grant(apps, editor, GRANTS)


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0005_saved_filters"),
        ("portal", "0002_logins"),
    ]
    operations = [migrations.RunPython(let_operators_share, migrations.RunPython.noop)]
