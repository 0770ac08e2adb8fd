from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from portal.roles import grant

GRANTS = {
    "administrator": [
        "second_factor.view_authenticator",
        "second_factor.delete_authenticator",
        "axes.view_accessattempt",
        "axes.delete_accessattempt",
    ],
}


def let_administrators_in(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    grant(apps, editor, GRANTS)


class Migration(migrations.Migration):
    dependencies = [
        ("axes", "0010_accessattemptexpiration"),
        ("portal", "0001_roles"),
        ("second_factor", "0001_authenticator"),
    ]
    operations = [migrations.RunPython(let_administrators_in, migrations.RunPython.noop)]
