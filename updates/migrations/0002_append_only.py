from django.db import migrations

from portal.core.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("updates", "0001_initial")]
    operations = [append_only("updates_upgradeevent")]
