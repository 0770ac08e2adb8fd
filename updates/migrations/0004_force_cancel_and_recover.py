
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('updates', '0003_upgrade_history'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='upgrade',
            options={'default_permissions': ('view',), 'ordering': ['-created_at', '-id'], 'permissions': [('cancel_upgrade', 'Can cancel an upgrade'), ('retry_upgrade', 'Can retry an upgrade'), ('roll_back_upgrade', 'Can roll an upgrade back'), ('force_cancel_upgrade', 'Can end an upgrade by force'), ('recover_upgrade', 'Can put an upgrade back on the queue')]},
        ),
    ]
