"""The product's own settings."""

from __future__ import annotations

from portal.settings.environment import VAR_DIR, env
from portal.settings.environment import VERSION as VERSION
from portal.settings.own_secrets import own_fernet_key

FIELD_KEYS = env.list("FIELD_KEYS", default=[]) or [own_fernet_key(VAR_DIR / "field-key")]
"""Fernet keys for encrypted fields: the first encrypts, all of them decrypt (put a new one in front to rotate)."""

KINDS = {
    "artifact": "updates.jobs.run_artifact",
    "module": "updates.jobs.run_module",
    "container": "updates.jobs.run_container",
    "patch": "patches.jobs.run_patch",
}
"""The job that carries out an upgrade of each kind, by dotted name: lower floors reach upper ones through here."""

ORDERS = {
    "artifact": "updates.services.artifact_orders",
    "module": "updates.services.module_orders",
    "container": "updates.services.container_orders",
    "patch": "patches.services.patch_orders",
}
"""The services that know how an upgrade of each kind is ordered again, and how it is taken back: modules, see `KindOrders`."""

UPGRADE_PANELS = {"patch": "patches.admin_views.results.results_of"}
"""What an upgrade's page shows besides what all kinds have in common: a function of the upgrade that gives HTML."""

ADVICE = {
    "module": "updates.module_advice.advise",
    "container": "updates.container_advice.advise",
    "patch": "patches.advice.advise",
}
"""Who says what to do when an upgrade of the kind went wrong, where `updates.advice` has not the words for it."""

RECOVERED = [
    "updates.services.order_cancels.recover_order_cancels",
    "updates.services.pulled.end_silent",
    "updates.services.portal_follow.recover_portal",
    "updates.services.repositories.recover_fetches",
    "updates.services.local_images.recover_removals",
    "updates.services.version_checks.recover_version_checks",
    "updates.services.backups.recover_backups",
    "updates.services.image_checks.recover_image_checks",
    "updates.services.container_checks.recover_preflights",
    "devices.services.engine_looks.recover_looks",
    "patches.services.patch_checks.recover_checks",
    "patches.services.nodes.recover_nodes",
    "patches.services.nodes.look_at_due",
]
"""Functions that `recover` calls with the ids of the jobs that are known: they enqueue what is missing or due among theirs."""

START_JOB = "updates.dispatch.start_job"
"""Puts other work than upgrades on the queue: lower floors reach the one door to RQ through here."""

OUTDATED = "updates.statistics.outdated"
"""Says which devices could have something newer: lists of devices know no artifacts, and ask here."""

ORDERS_OF_PATCH = "patches.queries.ordered_with"
"""Says which upgrades were to apply a patch, or to take it back: the history knows no patches, and asks here."""

UPGRADE_FINISHED = [
    "updates.services.installed.record_outcome",
    "updates.services.module_outcomes.record_outcome",
    "updates.services.container_outcomes.record_outcome",
    "updates.services.backup_records.record_backups",
    "patches.services.outcomes.record_outcome",
    "updates.services.version_checks.look_anew",
    "updates.services.module_outcomes.stop_order",
    "updates.services.waiting.start_next",
]
"""Functions that the journal calls, in this order, inside the transaction that finishes an upgrade."""

DEVICE_DECOMMISSIONED = ["updates.services.pulled.end_for"]
"""Functions that are called with the device inside the transaction that decommissions it: what they hold of it ends there."""

LAST_SEEN_SECONDS = env.int("LAST_SEEN_SECONDS", default=60)
"""When a device that pulls was last heard is written no more often than this: an idle poll costs no write."""
DEVICE_TOKEN_SECONDS = env.int("DEVICE_TOKEN_SECONDS", default=7 * 24 * 3600)
"""For how long a device that pulls may use one token; then it proves anew who it is."""
PENDING_DEVICES_LIMIT = env.int("PENDING_DEVICES_LIMIT", default=1000)
"""How many devices may wait for somebody to accept them; who comes then is not stored, and may ask again."""
NEW_DEVICES_PER_MINUTE = env.int("NEW_DEVICES_PER_MINUTE", default=100)
"""How many unknown devices a minute are stored; who comes then is not, and may ask again."""

LEASE_SECONDS = env.int("LEASE_SECONDS", default=60)
HEARTBEAT_SECONDS = env.int("HEARTBEAT_SECONDS", default=10)
RECOVER_SECONDS = env.int("RECOVER_SECONDS", default=60)

MODULE_SECONDS = 4 * 3600
STATE_LIMIT_SECONDS = {
    "checking": 300,
    "backing_up": 3600,
    "downloading": MODULE_SECONDS,
    "installing": MODULE_SECONDS,
    "restarting": MODULE_SECONDS,
    "verifying": MODULE_SECONDS,
    "committing": MODULE_SECONDS,
    "committed": MODULE_SECONDS,
    "rolling_back": MODULE_SECONDS,
    "rollback_restarting": MODULE_SECONDS,
    "rollback_verifying": MODULE_SECONDS,
    "failing": MODULE_SECONDS,
    "cleaning": MODULE_SECONDS,
} | {state: int(seconds) for state, seconds in env.dict("STATE_LIMIT_SECONDS", default={}).items()}
"""How long a step may take in each state. Nowhere less than the 4 hours that Mender's client allows an Update Module."""

DEVICE_LIMIT_SECONDS = dict.fromkeys(STATE_LIMIT_SECONDS, 25 * 3600) | {
    state: int(seconds) for state, seconds in env.dict("DEVICE_LIMIT_SECONDS", default={}).items()
}
"""How long a device that carries an upgrade out itself may say nothing of it, in each state: its scripts may have it wait for a
day, and after a rollback it may ask no more often than that. Then it counts as lost, and the upgrade is over. One that is in a
state for longer and still speaks of it is only shown."""
DEVICE_SILENT_SECONDS = env.int("DEVICE_SILENT_SECONDS", default=3600)
"""After how long a device that says nothing of what it carries out stands among what is stuck, for somebody to look at."""
DOWNLOAD_LINK_SECONDS = env.int("DOWNLOAD_LINK_SECONDS", default=24 * 3600)
"""How long a device may fetch an artifact by the link that it was given, from its first byte to its last."""
DEVICES_REACH_STORAGE = env.bool("DEVICES_REACH_STORAGE", default=False)
"""Devices fetch artifacts straight from the bucket, by links that are signed for it, and not through the portal."""

QUERY_LIMIT_SECONDS = env.int("QUERY_LIMIT_SECONDS", default=60)
"""How long an Update Module may think about a query, which changes nothing."""
KILL_AFTER_SECONDS = env.int("KILL_AFTER_SECONDS", default=60)
"""How long a step that was told to end (SIGTERM) has until it is killed (SIGKILL): Mender's client gives it a minute."""
REBOOT_LIMIT_SECONDS = env.int("REBOOT_LIMIT_SECONDS", default=1800)
"""How long a device that the portal reboots may be away."""

STATE_SCRIPT_LIMIT_SECONDS = env.int("STATE_SCRIPT_LIMIT_SECONDS", default=3600)
"""How long one run of a state script may take."""
STATE_SCRIPT_RETRY_SECONDS = env.int("STATE_SCRIPT_RETRY_SECONDS", default=60)
"""How long a state script that ended with status 21 is left alone before it is asked again."""
STATE_SCRIPT_RETRY_LIMIT_SECONDS = env.int("STATE_SCRIPT_RETRY_LIMIT_SECONDS", default=1800)
"""For how long a state script may go on asking for another try: a maintenance window lies within this time."""

MODULE_CORE_VERSION = env("MODULE_CORE_VERSION", default="3.0.0")
"""The version of NethServer's core whose modules can be installed: what their label `min-core` is compared with."""

HEALTH_LIMIT_SECONDS = env.int("HEALTH_LIMIT_SECONDS", default=120)
"""How long something that was updated has until it is well; a slow start is none of its faults before."""
HEALTH_PASSES = env.int("HEALTH_PASSES", default=3)
"""How often in a row all probes have to pass."""
HEALTH_PAUSE_SECONDS = env.float("HEALTH_PAUSE_SECONDS", default=2.0)
"""The pause between two rounds of probes."""
REGISTRY_LIMIT_SECONDS = env.int("REGISTRY_LIMIT_SECONDS", default=60)
"""How long a registry may take to say what it has under one name."""
CONTAINER_MIN_FREE_BYTES = env.int("CONTAINER_MIN_FREE_BYTES", default=500 * 2**20)
"""What has to be free besides what an upgrade of a container needs: where its backups go, and where its engine keeps images."""
KEPT_WAYS_BACK = env.int("KEPT_WAYS_BACK", default=3)
"""How many updates of an instance can still be taken back: what they kept stays on the device, and so do their images."""
REPOSITORY_FETCH_SECONDS = env.int("REPOSITORY_FETCH_SECONDS", default=3600)
"""How often the indexes of repositories are fetched; 0: only when somebody wants to know."""
VERSION_CHECK_SECONDS = env.int("VERSION_CHECK_SECONDS", default=4 * 3600)
"""How often registries are asked for newer versions of watched containers, and of the portal."""
VERSION_CHECK_DISABLED = env.bool("VERSION_CHECK_DISABLED", default=False)
"""No registry is asked for newer versions, and nobody is told of any."""

PATCH_LIMIT_BYTES = env.int("PATCH_LIMIT_BYTES", default=10 * 2**20)
"""The largest archive of a hot patch."""
PATCH_CHECK_STALE_SECONDS = env.int("PATCH_CHECK_STALE_SECONDS", default=1800)
"""How long the check of a hot patch may be relied on when it is applied."""
NODE_LOOK_SECONDS = env.int("NODE_LOOK_SECONDS", default=300)
"""How often nodes are asked how they are; 0: only when somebody wants to know."""
PATCH_AWAY_SECONDS = env.int("PATCH_AWAY_SECONDS", default=60)
"""How long a node that has to get back what was there before a hot patch may be away: it may just be restarting."""

CHECK_STALE_SECONDS = env.int("CHECK_STALE_SECONDS", default=24 * 3600)
OUTPUT_CHUNK_BYTES = 4096
OUTPUT_CHUNK_SECONDS = 1.0
OUTPUT_LIMIT_BYTES = env.int("OUTPUT_LIMIT_BYTES", default=2**20)
"""How much of what one call says is kept in the history: this much of its beginning, and its last words."""
KEPT_TREES = env.int("KEPT_TREES", default=3)
"""How many finished upgrades' file trees stay on a device, so that a rollback by hand has something to restore."""

UPLOAD_LIMIT_BYTES = env.int("UPLOAD_LIMIT_BYTES", default=10 * 2**30)
LOCALHOST_ROOT = env("LOCALHOST_ROOT", default=str(VAR_DIR / "localhost"))
"""The folder that plays `/` for the device `localhost`, so that trying the portal needs no root."""
