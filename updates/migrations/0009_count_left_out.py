from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def count(_apps: object, editor: BaseDatabaseSchemaEditor) -> None:
    length = "json_array_length" if editor.connection.vendor == "sqlite" else "jsonb_array_length"
    editor.execute(f"UPDATE updates_deployment SET left_out_count = {length}(left_out)")


class Migration(migrations.Migration):
    dependencies = [("updates", "0008_cancelled_says_so")]
    operations = [
        migrations.AddField(
            model_name="deployment",
            name="left_out_count",
            field=models.PositiveIntegerField(
                default=0,
                help_text="How many those are: the list may be long, and lists do not load it.",
            ),
        ),
        migrations.RunPython(count, migrations.RunPython.noop),
    ]
