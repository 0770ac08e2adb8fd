import django.db.models.deletion
from django.db import migrations, models

# Of its own: PostgreSQL alters no table in the transaction in which rows of it were written.


class Migration(migrations.Migration):
    dependencies = [("updates", "0010_releases")]
    operations = [
        migrations.AlterField(
            model_name="artifact",
            name="release",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="artifacts",
                to="updates.release",
            ),
        ),
        migrations.AlterField(
            model_name="deployment",
            name="release",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="deployments",
                to="updates.release",
            ),
        ),
        migrations.AlterField(
            model_name="deployment",
            name="artifact",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="deployments",
                to="updates.artifact",
            ),
        ),
    ]
