import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("devices", "0005_signed_only"),
        ("updates", "0012_keys"),
    ]
    operations = [
        migrations.CreateModel(
            name="CarriedModule",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                ("sha256", models.CharField(max_length=64)),
                ("seen_at", models.DateTimeField()),
                (
                    "device",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="carried_modules",
                        to="devices.device",
                    ),
                ),
            ],
            options={
                "ordering": ["device__name", "name"],
                "default_permissions": (),
                "indexes": [models.Index(fields=["name", "sha256"], name="carried_module_by_name")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("device", "name"), name="one_carried_module_per_name"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ModuleCheck",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "verdict",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("compatible", "Works there"),
                            ("refused", "Does not work there"),
                            ("unreachable", "Unreachable"),
                        ],
                        default="waiting",
                        max_length=20,
                    ),
                ),
                ("findings", models.JSONField(default=list)),
                ("requested_by_name", models.CharField(max_length=150)),
                ("requested_at", models.DateTimeField()),
                ("checked_at", models.DateTimeField(blank=True, null=True)),
                (
                    "device",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="module_checks",
                        to="devices.device",
                    ),
                ),
                (
                    "module",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="checks",
                        to="updates.updatemodule",
                    ),
                ),
            ],
            options={
                "ordering": ["device__name"],
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("module", "device"), name="one_module_check_per_pair"
                    ),
                ],
            },
        ),
    ]
