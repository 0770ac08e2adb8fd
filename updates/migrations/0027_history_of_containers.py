from importlib import import_module

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

VIEW = import_module("updates.migrations.0014_room_for_broken_names").VIEW
SAID = "CASE WHEN e.text = '' THEN e.to_state ELSE e.text END"
# Artifacts say `backup_path` and `supports_rollback`; containers `backup`, with its path, and `kept`, as modules do.
SQLITE = VIEW.format(
    logs=f"json_group_array({SAID})",
    backup="COALESCE(json_extract(u.facts, '$.backup_path'), json_extract(u.facts, '$.backup.path'))",
    rollback="COALESCE(json_extract(u.facts, '$.supports_rollback'), json_type(u.facts, '$.kept') = 'true', 0)",
)
POSTGRESQL = VIEW.format(
    logs=f"json_agg({SAID} ORDER BY e.seq)",
    backup="COALESCE(u.facts ->> 'backup_path', u.facts #>> '{backup,path}')",
    rollback="COALESCE((u.facts ->> 'supports_rollback')::boolean, u.facts -> 'kept' = 'true'::jsonb, false)",
)


def drop(_apps: object, editor: BaseDatabaseSchemaEditor) -> None:
    editor.execute("DROP VIEW upgrade_history")


def create(_apps: object, editor: BaseDatabaseSchemaEditor) -> None:
    # Executed without parameters, so that a % in it would stay one.
    editor.execute(SQLITE if editor.connection.vendor == "sqlite" else POSTGRESQL, params=None)


def create_as_before(_apps: object, editor: BaseDatabaseSchemaEditor) -> None:
    import_module("updates.migrations.0014_room_for_broken_names").create(_apps, editor)


class Migration(migrations.Migration):
    """`upgrade_history` tells of containers, too, where their backup is and whether they can be taken back."""

    dependencies = [("updates", "0026_orders_called_off")]
    operations = [
        migrations.RunPython(drop, create_as_before),
        migrations.RunPython(create, drop),
    ]
