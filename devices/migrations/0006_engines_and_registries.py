import django.core.validators
import django.db.models.deletion
import portal.core.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('devices', '0005_signed_only'),
    ]

    operations = [
        migrations.CreateModel(
            name='RegistryLogin',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('registry', models.CharField(help_text='Its host, and its port if it has one: ghcr.io', max_length=255, unique=True)),
                ('username', models.CharField(max_length=255)),
                ('secret', portal.core.fields.EncryptedTextField()),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'ordering': ['registry'],
            },
        ),
        migrations.CreateModel(
            name='EngineAccess',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('way', models.CharField(choices=[('unix', "Socket of the portal's own machine"), ('tcp', 'TCP with TLS'), ('ssh', "The device's SSH connection")], max_length=10)),
                ('socket_path', models.CharField(blank=True, help_text="Empty: /var/run/docker.sock, or with SSH the one that the login's Docker client finds.", max_length=255, validators=[django.core.validators.RegexValidator('^/[^\\0\\n]*\\Z', 'An absolute path on the device.')])),
                ('host', models.CharField(blank=True, max_length=255)),
                ('port', models.PositiveIntegerField(default=2376)),
                ('authority', models.TextField(blank=True)),
                ('certificate', models.TextField(blank=True)),
                ('key', portal.core.fields.EncryptedTextField(blank=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('device', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='engine_access', to='devices.device')),
            ],
            options={
                'ordering': ['device__name'],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('way', 'tcp'), _negated=True), models.Q(('host', ''), _negated=True), _connector='OR'), name='engine_by_tcp_has_host', violation_error_message='An engine reached by TCP needs a host.')],
            },
        ),
    ]
