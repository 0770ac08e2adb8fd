from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("updates", "0019_watched_containers")]
    operations = [
        migrations.AddIndex(
            model_name="upgrade",
            index=models.Index(
                fields=["device", "created_at", "id"],
                condition=Q(state="pending"),
                name="upgrade_waiting",
            ),
        ),
        migrations.AddIndex(
            model_name="upgrade",
            index=models.Index(
                fields=["module_order", "created_at", "id"],
                condition=Q(module_order__isnull=False),
                name="upgrade_of_module_order",
            ),
        ),
    ]
