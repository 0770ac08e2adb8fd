from importlib import import_module

import django.core.validators
import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models


# SQLite makes the table anew when a field goes, and cannot while a view looks at it.
view = import_module("updates.migrations.0014_room_for_broken_names")


class Migration(migrations.Migration):

    dependencies = [
        ('updates', '0015_modules_and_instances'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunPython(migrations.RunPython.noop, view.create),
        migrations.AddField(
            model_name='module',
            name='source',
            field=models.CharField(blank=True, help_text='Where its images are, without a tag; empty: it comes as none.', max_length=255),
        ),
        migrations.AlterField(
            model_name='module',
            name='runtime',
            field=models.CharField(blank=True, choices=[('beam', 'Erlang/BEAM'), ('python', 'Python')], help_text='Empty: its processes take no hot patches.', max_length=20),
        ),
        migrations.AlterField(
            model_name='upgrade',
            name='kind',
            field=models.CharField(choices=[('artifact', 'Artifact'), ('module', 'Module'), ('patch', 'Patch')], max_length=20),
        ),
        migrations.CreateModel(
            name='ModuleOrder',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('verb', models.CharField(max_length=20)),
                ('image', models.CharField(max_length=300)),
                ('force', models.BooleanField(default=False)),
                ('canary', models.BooleanField(default=False)),
                ('stops_at_failure', models.BooleanField(default=False)),
                ('left_out', models.JSONField(default=list, help_text='Instance and reason, for each one left out.')),
                ('reason', models.TextField()),
                ('requested_by_name', models.CharField(max_length=150)),
                ('created_at', models.DateTimeField(db_index=True)),
                ('requested_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-created_at'],
                'default_permissions': ('view',),
                'permissions': [('order_module', 'Can install, update and uninstall instances of modules'), ('override_module', 'Can update an instance although its check refuses that')],
            },
        ),
        migrations.AddField(
            model_name='upgrade',
            name='module_order',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='upgrades', to='updates.moduleorder'),
        ),
        migrations.CreateModel(
            name='Installation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('image', models.CharField(blank=True, max_length=300)),
                ('image_id', models.CharField(blank=True, max_length=80)),
                ('digest', models.CharField(blank=True, max_length=80)),
                ('images', models.JSONField(default=list, editable=False, help_text="References in force: the module's image and its services'.")),
                ('rootfull', models.BooleanField(default=False)),
                ('user', models.CharField(max_length=32, validators=[django.core.validators.RegexValidator('^[A-Za-z0-9][A-Za-z0-9._-]*\\Z', 'Letters, digits, dots, dashes and underscores; starts with one.')])),
                ('install_dir', models.CharField(max_length=255, validators=[django.core.validators.RegexValidator('^/[^\\0\\n]*\\Z', 'An absolute path on the device.')])),
                ('on_failed_script', models.CharField(choices=[('abort', 'Abort and roll back'), ('continue', 'Go on with the next script')], default='abort', help_text='When a script of an update ends with an error.', max_length=10)),
                ('keeps_data', models.BooleanField(default=False, help_text='State directory and volumes are kept before each update, and put back with a rollback.')),
                ('volumes', models.JSONField(blank=True, default=list)),
                ('probes', models.JSONField(blank=True, default=list)),
                ('first_tcp_port', models.PositiveIntegerField(blank=True, null=True)),
                ('tcp_ports', models.PositiveSmallIntegerField(default=0)),
                ('first_udp_port', models.PositiveIntegerField(blank=True, null=True)),
                ('udp_ports', models.PositiveSmallIntegerField(default=0)),
                ('is_held', models.BooleanField(default=False)),
                ('held_why', models.CharField(blank=True, max_length=300)),
                ('skipped', models.JSONField(blank=True, default=list)),
                ('uninstalled_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('instance', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='installation', to='updates.instance')),
            ],
            options={
                'ordering': ['instance__name'],
                'default_permissions': ('view', 'change'),
                'constraints': [models.CheckConstraint(condition=models.Q(('is_held', False), models.Q(('held_why', ''), _negated=True), _connector='OR'), name='held_installation_says_why', violation_error_message='Say why it is held.')],
            },
        ),
        migrations.RunPython(migrations.RunPython.noop, view.drop),
    ]
