from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# As before.
VIEW = """
CREATE VIEW upgrade_history AS
SELECT
  u.id AS id,
  u.from_version AS fromVersion,
  u.to_version AS toVersion,
  u.kind AS deploymentMethod,
  CASE
    WHEN u.state = 'finished' AND u.outcome = 'succeeded' THEN 'complete'
    WHEN u.state = 'finished' AND u.outcome = 'rolled_back' THEN 'rolled_back'
    WHEN u.state = 'finished' THEN 'failed'
    WHEN u.state IN ('pending', 'checking') THEN 'pending'
    WHEN u.state IN ('backing_up', 'downloading') THEN u.state
    WHEN u.state IN ('installing', 'restarting') THEN 'restarting'
    WHEN u.state IN ('rolling_back', 'rollback_restarting', 'rollback_verifying') THEN 'rolling_back'
    ELSE 'health_check'
  END AS status,
  u.progress AS progress,
  u.state AS currentStep,
  (SELECT {logs} FROM updates_upgradeevent e WHERE e.upgrade_id = u.id AND e.kind <> 'output') AS logs,
  {backup} AS backupPath,
  u.created_at AS startedAt,
  u.finished_at AS completedAt,
  u.requested_by_name AS initiatedBy,
  CASE
    WHEN u.error <> '' THEN u.error
    WHEN u.state = 'finished' AND u.outcome = 'cancelled' THEN 'Cancelled by ' || u.cancel_requested_by
  END AS errorMessage,
  {rollback} AS rollbackAvailable,
  d.name AS device
FROM updates_upgrade u
JOIN devices_device d ON d.id = u.device_id
"""
SAID = "CASE WHEN e.text = '' THEN e.to_state ELSE e.text END"
SQLITE = VIEW.format(
    logs=f"json_group_array({SAID})",
    backup="json_extract(u.facts, '$.backup_path')",
    rollback="COALESCE(json_extract(u.facts, '$.supports_rollback'), 0)",
)
POSTGRESQL = VIEW.format(
    logs=f"json_agg({SAID} ORDER BY e.seq)",
    backup="u.facts ->> 'backup_path'",
    rollback="COALESCE((u.facts ->> 'supports_rollback')::boolean, false)",
)


def drop(_apps: object, editor: BaseDatabaseSchemaEditor) -> None:
    editor.execute("DROP VIEW upgrade_history")


def create(_apps: object, editor: BaseDatabaseSchemaEditor) -> None:
    # Executed without parameters, so that a % in it would stay one.
    editor.execute(SQLITE if editor.connection.vendor == "sqlite" else POSTGRESQL, params=None)


class Migration(migrations.Migration):
    """The longest name of an artifact, and behind it what says that an upgrade to it broke off, fit."""

    dependencies = [("updates", "0013_module_checks")]
    operations = [
        migrations.RunPython(drop, create),
        migrations.AlterField("upgrade", "from_version", models.CharField(blank=True, max_length=300)),
        migrations.AlterField("upgrade", "to_version", models.CharField(blank=True, max_length=300)),
        migrations.AlterField("check", "installed", models.CharField(blank=True, max_length=300)),
        migrations.RunPython(create, drop),
    ]
