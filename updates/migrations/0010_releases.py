import django.db.models.deletion
from django.apps.registry import Apps
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Min, OuterRef, Subquery


def gather(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    alias = editor.connection.alias
    artifacts = apps.get_model("updates", "Artifact").objects.using(alias)
    releases = apps.get_model("updates", "Release").objects.using(alias)
    deployments = apps.get_model("updates", "Deployment")._base_manager.using(alias)
    names = artifacts.order_by("name").values_list("name").annotate(first=Min("uploaded_at"))
    releases.bulk_create(
        (releases.model(name=name, created_at=first) for name, first in names), batch_size=500
    )
    artifacts.update(release_id=Subquery(releases.filter(name=OuterRef("name")).values("pk")[:1]))
    deployments.update(
        release_id=Subquery(artifacts.filter(pk=OuterRef("artifact_id")).values("release_id")[:1])
    )


class Migration(migrations.Migration):
    dependencies = [
        ("updates", "0009_count_left_out"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.CreateModel(
            name="ReleaseTag",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("word", models.CharField(max_length=40, unique=True)),
            ],
            options={"ordering": ["word"], "default_permissions": ()},
        ),
        migrations.CreateModel(
            name="Release",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=256, unique=True)),
                ("notes", models.TextField(blank=True)),
                ("withdrawn_at", models.DateTimeField(blank=True, null=True)),
                ("withdrawn_by", models.CharField(blank=True, max_length=150)),
                ("withdrawn_reason", models.TextField(blank=True)),
                ("created_at", models.DateTimeField(db_index=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "tags",
                    models.ManyToManyField(
                        blank=True, related_name="releases", to="updates.releasetag"
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at", "-id"],
                "permissions": [("withdraw_release", "Can withdraw a release, and take that back")],
                "default_permissions": ("view", "change"),
            },
        ),
        migrations.AddField(
            model_name="artifact",
            name="release",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="artifacts",
                to="updates.release",
            ),
        ),
        migrations.AddField(
            model_name="deployment",
            name="release",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="deployments",
                to="updates.release",
            ),
        ),
        migrations.RunPython(gather, migrations.RunPython.noop),
    ]
