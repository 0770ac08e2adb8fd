
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('devices', '0001_initial'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='device',
            options={'ordering': ['name'], 'permissions': [('confirm_host_key', "Can confirm a device's host key"), ('refresh_device', 'Can ask a device what it is and has'), ('use_local_driver', "Can have the portal's own host be a device")]},
        ),
    ]
