from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def set_target(editor: BaseDatabaseSchemaEditor, action: str) -> None:
    if editor.connection.vendor == "postgresql":
        editor.execute(f"ALTER TABLE updates_upgrade {action}")


def slim(_apps: object, editor: BaseDatabaseSchemaEditor) -> None:
    # A plan is three quarters of a row and read by nobody who looks through the history. Of rows over 2 KB, where PostgreSQL
    # begins to think about it at all, the plan goes beside the table: a list, a search and each change of state touch a
    # quarter of the pages. Rows that exist stay as they are.
    set_target(editor, "SET (toast_tuple_target = 256)")


def restore(_apps: object, editor: BaseDatabaseSchemaEditor) -> None:
    set_target(editor, "RESET (toast_tuple_target)")


class Migration(migrations.Migration):
    dependencies = [("updates", "0005_find_in_long_histories")]
    operations = [migrations.RunPython(slim, restore)]
