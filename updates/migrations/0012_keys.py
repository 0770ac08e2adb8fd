import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import portal.core.fields

ADDED_BY = {
    "null": True,
    "on_delete": django.db.models.deletion.SET_NULL,
    "related_name": "+",
    "to": settings.AUTH_USER_MODEL,
}


class Migration(migrations.Migration):
    dependencies = [
        ("updates", "0011_every_artifact_is_in_a_release"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.CreateModel(
            name="TrustedKey",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100, unique=True)),
                (
                    "kind",
                    models.CharField(help_text="Such as RSA-3072 or ECDSA P-256.", max_length=40),
                ),
                ("pem", models.TextField()),
                ("fingerprint", models.CharField(max_length=64, unique=True)),
                ("added_at", models.DateTimeField()),
                ("added_by", models.ForeignKey(**ADDED_BY)),
            ],
            options={"ordering": ["name"], "default_permissions": ("view", "add", "delete")},
        ),
        migrations.CreateModel(
            name="SigningKey",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100, unique=True)),
                (
                    "kind",
                    models.CharField(help_text="Such as RSA-3072 or ECDSA P-256.", max_length=40),
                ),
                ("private_pem", portal.core.fields.EncryptedTextField()),
                ("public_pem", models.TextField()),
                ("fingerprint", models.CharField(max_length=64, unique=True)),
                ("added_at", models.DateTimeField()),
                ("added_by", models.ForeignKey(**ADDED_BY)),
            ],
            options={
                "ordering": ["name"],
                "permissions": [("use_signingkey", "Can have the portal sign an artifact")],
                "default_permissions": ("view", "add", "delete"),
            },
        ),
        migrations.AddField(
            "artifact", "manifest", models.TextField(blank=True, default=""), preserve_default=False
        ),
        migrations.AddField(
            "artifact",
            "signature",
            models.TextField(blank=True, default=""),
            preserve_default=False,
        ),
        migrations.AddField(
            "artifact",
            "signed_by",
            models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="artifacts",
                to="updates.trustedkey",
            ),
        ),
    ]
