import uuid

import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from portal.core.append_only import append_only


def add_reported(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """SQLite would make the table anew for it, which the view `upgrade_history` stands on; it can add a column with a default."""
    if editor.connection.vendor == "sqlite":
        editor.execute(
            "ALTER TABLE devices_device ADD COLUMN reported text NOT NULL DEFAULT '{}' "
            "CHECK ((JSON_VALID(reported) OR reported IS NULL))"
        )
        return
    field = models.JSONField(default=dict)
    field.set_attributes_from_name("reported")
    editor.add_field(apps.get_model("devices", "Device"), field)


def drop_reported(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    editor.execute("ALTER TABLE devices_device DROP COLUMN reported")


class Migration(migrations.Migration):

    dependencies = [
        ('devices', '0007_engine_looks'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(add_reported, drop_reported)],
            state_operations=[
                migrations.AddField(
                    model_name='device',
                    name='reported',
                    field=models.JSONField(blank=True, default=dict, editable=False),
                ),
            ],
        ),
        migrations.AlterField(
            model_name='device',
            name='driver',
            field=models.CharField(choices=[('local', 'Local shell'), ('ssh', 'SSH'), ('pull', 'Pulls by itself')], max_length=20),
        ),
        migrations.AlterModelOptions(
            name='device',
            options={'ordering': ['name'], 'permissions': [('confirm_host_key', "Can confirm a device's host key"), ('refresh_device', 'Can ask a device what it is and has'), ('use_local_driver', "Can have the portal's own host be a device"), ('decommission_device', 'Can decommission devices that pull')]},
        ),
        migrations.CreateModel(
            name='DeviceIdentity',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('id_hash', models.CharField(editable=False, max_length=64, unique=True)),
                ('id_data', models.JSONField()),
                ('device', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='identity', to='devices.device')),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='AuthSet',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('public_key', models.TextField(help_text='PEM.')),
                ('key_hash', models.CharField(editable=False, max_length=64)),
                ('status', models.CharField(choices=[('pending', 'Pending'), ('accepted', 'Accepted'), ('rejected', 'Rejected'), ('preauthorized', 'Preauthorized')], max_length=20)),
                ('requested_at', models.DateTimeField(blank=True, null=True)),
                ('last_asked_at', models.DateTimeField(blank=True, null=True)),
                ('decided_at', models.DateTimeField(blank=True, null=True)),
                ('decided_by_name', models.CharField(blank=True, max_length=150)),
                ('identity', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='auth_sets', to='devices.deviceidentity')),
            ],
            options={
                'verbose_name': 'key of a device',
                'verbose_name_plural': 'keys of devices',
                'permissions': [('decide_authset', 'Can accept, reject, dismiss and preauthorise devices that ask')],
                'default_permissions': ('view',),
                'indexes': [models.Index(fields=['status', '-requested_at'], name='authset_by_status')],
                'constraints': [models.UniqueConstraint(fields=('identity', 'key_hash'), name='one_authset_per_key_of_an_identity'), models.UniqueConstraint(condition=models.Q(('status', 'accepted')), fields=('identity',), name='one_accepted_authset_per_identity')],
            },
        ),
        migrations.CreateModel(
            name='InstalledRecord',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('artifact_name', models.CharField(max_length=300)),
                ('at', models.DateTimeField()),
                ('device', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='installed_records', to='devices.device')),
            ],
            options={
                'ordering': ['-at', '-id'],
                'default_permissions': (),
                'indexes': [models.Index(fields=['device', '-at'], name='installed_by_device')],
            },
        ),
        append_only('devices_installedrecord'),
    ]
