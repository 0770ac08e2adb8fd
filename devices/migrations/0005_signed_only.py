from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("devices", "0004_selections_imports_bulk_orders")]
    operations = [
        migrations.AlterModelOptions(
            name="devicegroup",
            options={
                "ordering": ["name"],
                "permissions": [
                    ("guard_devicegroup", "Can change groups that take signed artifacts only"),
                ],
            },
        ),
        migrations.AddField(
            model_name="devicegroup",
            name="signed_only",
            field=models.BooleanField(
                default=False,
                help_text="Its devices take only artifacts that a trusted key has signed.",
            ),
        ),
    ]
