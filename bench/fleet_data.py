"""Fills an empty PostgreSQL database with a fleet and a year of its history, by statements over sets: minutes, not hours.

What it writes looks as if it had happened: artifacts fit the devices that got them, most upgrades went well, one deployment
is under way. It goes past the services, so it is for measuring only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from secrets import token_hex
from typing import Final

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from bench.containers_data import fill_containers
from bench.modules_data import fill_modules
from bench.pulled_data import fill_pulled
from bench.systems_data import fill_systems
from devices.models import Credential, RegistryLogin
from portal.core.actors import PORTAL
from portal.core.tokens import create_token
from portal.second_factor.services import begin
from updates.services.keys import Generated, generate_signing_key


@dataclass(frozen=True, slots=True)
class Size:
    """How many of each. `told` is how many of the newest upgrades have their events."""

    devices: int = 100_000
    groups: int = 50
    artifacts: int = 200
    deployments: int = 400
    upgrades: int = 1_000_000
    told: int = 100_000
    audits: int = 200_000


PEOPLE: Final = 20
KEYS: Final = 5
VERSIONS: Final = 5
"""Of each Update Module."""
EVERY_TYPE: Final = "*"

SHARES: Final = """
CREATE TEMP TABLE bench_type (device_type text, first int, last int);
INSERT INTO bench_type VALUES
  ('gateway', 0, 39), ('camera', 40, 64), ('kiosk', 65, 79), ('sensor-hub', 80, 89),
  ('signage', 90, 94), ('meter', 95, 97), ('router', 98, 99)
"""
"""Of a hundred devices: which are of which type."""

ARTIFACTS: Final = """
WITH one AS (
  SELECT n, md5(n::text) || md5((n * 7)::text) AS digest,
    CASE WHEN mod(n, 50) = 0 THEN 'certificates-' || n
         ELSE device_type || '-' || (1 + n / 70) || '.' || mod(n, 70) END AS name,
    CASE WHEN mod(n, 50) = 0 THEN (SELECT jsonb_agg(device_type) FROM bench_type)
         ELSE jsonb_build_array(device_type) END AS types
  FROM generate_series(1, %(artifacts)s) n
  JOIN bench_type ON mod(n * 37, 100) BETWEEN first AND last
), release AS (
  INSERT INTO updates_release (name, notes, withdrawn_by, withdrawn_reason, created_at)
  SELECT name, '', '', '', now() - interval '1 year' * (%(artifacts)s - n) / %(artifacts)s - interval '1 hour' FROM one
  RETURNING id, name
)
INSERT INTO updates_artifact (
  release_id, manifest, signature, id, name, "group", payload_type, device_types, depends_names, depends_groups,
  depends, provides, clears_provides,
  header_info, type_info, meta_data, scripts, files, warnings, is_signed, signed_by_id, size, unpacked_size, sha256, file, notes,
  uploaded_by_id, uploaded_at)
SELECT
  release.id, '', '', gen_random_uuid(), one.name, '', 'rootfs-image', types, '[]', '[]',
  CASE WHEN mod(n, 5) = 0 THEN jsonb_build_object('bootloader.version', '["1", "2", "3"]'::jsonb) ELSE '{}' END,
  jsonb_build_object('rootfs-image.version', one.name, 'rootfs-image.checksum', digest), '["rootfs-image.*"]',
  jsonb_build_object('payloads', '[{"type": "rootfs-image"}]'::jsonb, 'artifact_provides',
    jsonb_build_object('artifact_name', one.name), 'artifact_depends', jsonb_build_object('device_type', types))::text,
  jsonb_build_object('type', 'rootfs-image', 'clears_artifact_provides', '["rootfs-image.*"]'::jsonb, 'artifact_provides',
    jsonb_build_object('rootfs-image.version', one.name, 'rootfs-image.checksum', digest))::text,
  '', '[]', jsonb_build_array(jsonb_build_object('name', 'rootfs.ext4', 'size', 4096, 'sha256', digest)),
  '[]', mod(n, 3) = 0,
  CASE WHEN mod(n, 3) = 0 THEN (SELECT min(id) + mod(n, %(keys)s) FROM updates_trustedkey) END,
  20480 + n, 4096, lpad(to_hex(n), 64, '0'), 'artifacts/' || one.name || '.mender',
  'Release ' || n, (SELECT min(id) + mod(n, %(people)s) FROM auth_user),
  now() - interval '1 year' * (%(artifacts)s - n) / %(artifacts)s - interval '1 hour'
FROM one JOIN release ON release.name = one.name;
CREATE TEMP TABLE bench_newest AS
SELECT device_types ->> 0 AS of_type, least(7, count(*))::int AS size, array_agg(id ORDER BY uploaded_at DESC) AS ids,
  array_agg(name ORDER BY uploaded_at DESC) AS names
FROM updates_artifact WHERE jsonb_array_length(device_types) = 1 GROUP BY 1
"""

DEVICES: Final = """
INSERT INTO devices_device (
  name, device_type, driver, host, port, credential_id, host_key, offered_host_key, root, attributes, reported, provides,
  last_seen, unreachable_reason, created_at)
SELECT
  site || '-' || device_type || '-' || lpad(n::text, 6, '0'), device_type, 'ssh',
  device_type || n || '.' || site || '.example', 22, (SELECT min(id) FROM devices_credential),
  'ssh-ed25519 ' || repeat('A', 68), '', '/',
  jsonb_build_object('site', site, 'os', 'Debian 12', 'kernel', '6.1.0-' || mod(n, 30),
    'serial', to_hex(n * 7919), 'memory', '2 GiB'), '{}',
  jsonb_build_object('artifact_name', names[1 + mod(n, size)], 'bootloader.version', (1 + mod(n, 5))::text,
    'rootfs-image.version', names[1 + mod(n, size)], 'rootfs-image.checksum', md5(size::text) || md5((size * 7)::text),
    'data-partition.web-file.version', 'opening-hours-' || mod(n, 12)),
  CASE WHEN mod(n, 97) = 0 THEN NULL ELSE now() - interval '1 day' * power(random(), 8) * 90 END,
  CASE WHEN mod(n, 53) = 0 THEN 'No route to host' ELSE '' END,
  now() - interval '1 day' * (365 + mod(n, 700))
FROM generate_series(1, %(devices)s) n
JOIN bench_type ON mod(n, 100) BETWEEN first AND last
JOIN LATERAL (
  SELECT (ARRAY['berlin', 'lyon', 'porto', 'turin', 'ghent', 'malmo', 'split', 'cork'])[1 + mod(n / 100, 8)] AS site
) place ON true
JOIN bench_newest ON of_type = device_type
ORDER BY n
"""

GROUPS: Final = """
INSERT INTO devices_devicegroup (name, kind, description, signed_only, filter, created_at)
SELECT
  CASE WHEN mod(n, 5) = 0 THEN 'filter-' ELSE 'list-' END || lpad(n::text, 3, '0'),
  CASE WHEN mod(n, 5) = 0 THEN 'dynamic' ELSE 'static' END, 'Group ' || n, false,
  CASE WHEN mod(n, 5) <> 0 THEN '{}'::jsonb
       WHEN mod(n, 15) = 0 THEN jsonb_build_object('unreachable', 'true')
       WHEN mod(n, 10) = 0 THEN jsonb_build_object('q', 'berlin', 'device_type', 'camera')
       ELSE jsonb_build_object('device_type', (SELECT device_type FROM bench_type ORDER BY first OFFSET mod(n, 7) LIMIT 1))
  END, now()
FROM generate_series(1, %(groups)s) n;
INSERT INTO devices_devicegroup_members (devicegroup_id, device_id)
SELECT g.id, d.id
FROM devices_devicegroup g JOIN devices_device d ON mod(d.id * 31 + g.id, 10 + 5 * mod(g.id, 40)) = 0
WHERE g.kind = 'static'
"""

DEPLOYMENTS: Final = """
CREATE TEMP TABLE bench_deployment AS
SELECT n, gen_random_uuid() AS id, a.id AS artifact_id, a.name AS artifact_name,
  CASE WHEN n = 1 OR n = %(deployments)s / 2 THEN '*' ELSE a.device_types ->> 0 END AS of_type,
  CASE WHEN n = 1 OR n = %(deployments)s / 2 THEN %(devices)s
       WHEN n = %(deployments)s THEN %(devices)s / 5
       ELSE greatest(1, (%(upgrades)s - 2.2 * %(devices)s - %(direct)s)::int / (%(deployments)s - 3)) END AS size,
  now() - interval '10 minutes' - interval '364 days' * (%(deployments)s - n) / %(deployments)s AS at
FROM generate_series(1, %(deployments)s) n
JOIN LATERAL (
  SELECT a.*, jsonb_array_length(device_types) > 1 AS is_for_all FROM updates_artifact a
  WHERE CASE WHEN n = 1 OR n = %(deployments)s / 2 THEN jsonb_array_length(device_types) > 1
             WHEN n = %(deployments)s THEN device_types = '["gateway"]'
             ELSE jsonb_array_length(device_types) = 1 END
  ORDER BY md5(n || a.name) LIMIT 1
) a ON true;
INSERT INTO updates_deployment (
  id, name, artifact_id, release_id, selection, left_out, left_out_count, reason, requested_by_id, requested_by_name, created_at)
SELECT d.id, artifact_name || ' for ' || of_type, artifact_id,
  (SELECT release_id FROM updates_artifact WHERE id = artifact_id), '{"everything": true}',
  CASE WHEN n = %(deployments)s THEN (
    SELECT jsonb_agg(jsonb_build_array(name, 'It needs device type gateway; the device has ' || device_type || '.'))
    FROM devices_device WHERE device_type <> 'gateway')
  ELSE '[["cork-router-000001", "It already has it."]]' END,
  CASE WHEN n = %(deployments)s THEN (SELECT count(*) FROM devices_device WHERE device_type <> 'gateway') ELSE 1 END,
  'Maintenance window ' || n, u.id, u.username, at
FROM bench_deployment d
JOIN auth_user u ON u.id = (SELECT min(id) FROM auth_user) + mod(n, %(people)s)
"""

ORDERS: Final = """
CREATE TEMP TABLE bench_device AS
SELECT id, device_type AS of_type, row_number() OVER (PARTITION BY device_type ORDER BY id) AS rank,
  count(*) OVER (PARTITION BY device_type) AS size FROM devices_device;
INSERT INTO bench_device SELECT id, '*', row_number() OVER (ORDER BY id), count(*) OVER () FROM devices_device;
CREATE INDEX ON bench_device (of_type, rank);
CREATE TEMP TABLE bench_order AS
SELECT gen_random_uuid() AS id, device.id AS device_id, d.id AS deployment_id, artifact_id, artifact_name, d.n,
  at + interval '1 millisecond' * i AS at, i, random() AS luck, d.n = %(deployments)s AS is_newest
FROM bench_deployment d
JOIN LATERAL (SELECT size FROM bench_device WHERE of_type = d.of_type LIMIT 1) fleet ON true
JOIN LATERAL generate_series(1, least(d.size, fleet.size)) i ON true
JOIN bench_device device ON device.of_type = d.of_type AND device.rank = 1 + mod(d.n * 997 + i, fleet.size);
INSERT INTO bench_order
SELECT gen_random_uuid(), device.id, NULL, ids[1 + mod(i, newest.size)], names[1 + mod(i, newest.size)], i,
  now() - interval '1 day' - interval '364 days' * random(), i, random(), false
FROM generate_series(1, %(upgrades)s - (SELECT count(*) FROM bench_order)) i
JOIN bench_device device ON device.of_type = '*' AND device.rank = 1 + mod(i * 6151, %(devices)s)
JOIN devices_device d ON d.id = device.id
JOIN bench_newest newest ON newest.of_type = d.device_type;
ANALYZE bench_order, bench_device
"""

UPGRADES: Final = """
INSERT INTO updates_upgrade (
  id, kind, executor, device_id, deployment_id, artifact_id, undoes_id, retries_id, plan, from_version, to_version,
  state, outcome, unchanged, progress, error, error_code, error_state, warning, facts, fence, worker, lease_until,
  repeats, last_seq, state_seq, cancel_requested_at, cancel_requested_by, requested_by_id, requested_by_name, reason,
  created_at, state_entered_at, started_at, finished_at)
SELECT
  o.id, 'artifact', 'worker', d.id, o.deployment_id, o.artifact_id, NULL, NULL,
  plan.part || jsonb_build_object('upgrade', o.id, 'device', jsonb_build_object('id', d.id, 'name', d.name,
    'device_type', d.device_type, 'root', '/', 'work_root', '/var/lib/fleetwright',
    'modules_dir', '/usr/share/mender/modules/v3', 'provides', d.provides)),
  d.device_type || '-1.' || mod(o.i, 70), o.artifact_name, state, outcome, false,
  CASE state WHEN 'pending' THEN 0 WHEN 'installing' THEN 60 ELSE 100 END,
  CASE outcome WHEN 'failed' THEN 'The device cannot be reached: connection timed out.'
               WHEN 'rolled_back' THEN 'ArtifactInstall ended with status 1.'
               WHEN 'broken' THEN 'ArtifactRollback ended with status 1.' ELSE '' END,
  CASE outcome WHEN 'failed' THEN 'DEV-101' WHEN 'rolled_back' THEN 'UPD-201' WHEN 'broken' THEN 'UPD-201' ELSE '' END,
  CASE outcome WHEN 'failed' THEN 'checking' WHEN 'rolled_back' THEN 'installing' WHEN 'broken' THEN 'rolling_back'
               ELSE '' END,
  '', '{"supports_rollback": true}', CASE state WHEN 'pending' THEN 0 ELSE 1 END,
  CASE state WHEN 'pending' THEN '' ELSE 'worker-' || mod(o.i, 8) END,
  CASE state WHEN 'installing' THEN now() + interval '1 minute' END, 0,
  CASE state WHEN 'pending' THEN 1 ELSE 6 END, CASE state WHEN 'pending' THEN 1 ELSE 6 END,
  NULL, '', u.id, u.username,
  (ARRAY['Security fix', 'Maintenance window', 'Customer asked for it', 'New opening hours', 'Certificate runs out',
         'Camera freezes after a week', 'Roll out to the pilot sites', 'Quarterly release'])[1 + mod(o.n, 8)]
    || ' OPS-' || (10000 + o.n),
  o.at, o.at + interval '30 seconds' * (1 + luck),
  CASE state WHEN 'pending' THEN NULL ELSE o.at + interval '20 seconds' END,
  CASE state WHEN 'finished' THEN o.at + interval '20 seconds' + interval '90 seconds' * luck END
FROM (SELECT * FROM bench_order ORDER BY at) o
JOIN devices_device d ON d.id = o.device_id
JOIN auth_user u ON u.id = (SELECT min(id) FROM auth_user) + mod(o.n, %(people)s)
JOIN LATERAL (
  SELECT CASE WHEN is_newest AND i > %(devices)s / 20 THEN 'pending' WHEN is_newest AND i <= %(devices)s / 500 THEN 'installing'
              ELSE 'finished' END AS state
) s ON true
JOIN LATERAL (
  SELECT CASE WHEN state <> 'finished' THEN NULL WHEN luck < 0.92 THEN 'succeeded' WHEN luck < 0.96 THEN 'failed'
              WHEN luck < 0.98 THEN 'rolled_back' WHEN luck < 0.985 THEN 'broken' ELSE 'cancelled' END AS outcome
) e ON true
JOIN (
  SELECT id, jsonb_build_object('mode', 'install', 'artifact_id', id, 'artifact_name', name, 'artifact_group', '',
    'payload_type', payload_type, 'file', file, 'sha256', sha256, 'size', size, 'unpacked_size', unpacked_size,
    'device_types', device_types, 'depends_names', depends_names, 'depends_groups', depends_groups, 'depends', depends,
    'provides', provides, 'clears_provides', clears_provides, 'header_info', header_info, 'type_info', type_info,
    'meta_data', meta_data, 'scripts', scripts, 'update_module', NULL, 'force', false, 'tree_of', NULL) AS part
  FROM updates_artifact
) plan ON plan.id = o.artifact_id
"""

EVENTS: Final = """
INSERT INTO updates_upgradeevent (
  upgrade_id, seq, at, kind, from_state, event, to_state, call, text, data)
SELECT newest.id, seq, created_at + interval '10 seconds' * (seq - 1), story.kind, from_state, event, to_state, call,
  CASE story.kind WHEN 'output' THEN repeat('Unpacking the tree, block after block: all well. ' || E'\\n', 12) ELSE text END, '{}'
FROM (SELECT id, created_at, last_seq FROM updates_upgrade ORDER BY created_at DESC LIMIT %(told)s) newest
JOIN (VALUES
  (1, 'arrow', '', 'ordered', 'pending', '', 'Ordered by alice: maintenance'),
  (2, 'arrow', 'pending', 'done', 'checking', '', ''),
  (3, 'arrow', 'checking', 'done', 'downloading', '', ''),
  (4, 'arrow', 'downloading', 'done', 'installing', '', ''),
  (5, 'output', '', '', '', '0005-ArtifactInstall', ''),
  (6, 'arrow', 'cleaning', 'done', 'finished', '', '')
) AS story (seq, kind, from_state, event, to_state, call, text) ON seq <= newest.last_seq
ORDER BY created_at, seq
"""

CHECKS: Final = """
INSERT INTO updates_check (
  artifact_id, device_id, verdict, findings, changes, installed, requested_by_name, requested_at, checked_at)
SELECT a.id, d.id, CASE WHEN mod(d.id, 9) = 0 THEN 'refused' WHEN mod(d.id, 53) = 0 THEN 'unreachable'
    WHEN mod(d.id, 7) = 0 THEN 'unchanged' ELSE 'compatible' END,
  '[{"what": "device type", "ok": true, "says": "device type is gateway."}]',
  '{"artifact_name": ["gateway-1.1", "gateway-1.2"]}', d.provides ->> 'artifact_name', 'alice', now(), now()
FROM (
  SELECT id, row_number() OVER (ORDER BY jsonb_array_length(device_types) DESC, uploaded_at DESC) AS place
  FROM updates_artifact
) a JOIN devices_device d ON a.place = 1 OR (a.place < 20 AND mod(d.id, 50) = a.place)
"""

MODULES: Final = """
INSERT INTO updates_updatemodule (name, version, sha256, size, file, notes, uploaded_by_id, uploaded_at)
SELECT name, version, md5(name || version) || md5(version || name), 4096, 'update-modules/' || name || '-' || version,
  'Version ' || version, u.id, now() - interval '1 month' * (%(versions)s - version)
FROM unnest(ARRAY['rootfs-image', 'web-file', 'container', 'directory', 'deb', 'script', 'firmware', 'gateway-config']) name
CROSS JOIN generate_series(1, %(versions)s) version
JOIN auth_user u ON u.id = (SELECT min(id) FROM auth_user) + mod(version, %(people)s);
INSERT INTO updates_modulecheck (module_id, device_id, verdict, findings, requested_by_name, requested_at, checked_at)
SELECT m.id, d.id, CASE WHEN mod(d.id, 9) = 0 THEN 'refused' WHEN mod(d.id, 53) = 0 THEN 'unreachable' ELSE 'compatible' END,
  '[{"what": "interpreter", "ok": true, "says": "/bin/sh is there."}]', 'alice', now(), now()
FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM updates_updatemodule) m
JOIN devices_device d ON m.place = 1 OR mod(d.id, 50) = m.place;
INSERT INTO updates_carriedmodule (device_id, name, sha256, seen_at)
SELECT d.id, m.name, m.sha256, now()
FROM updates_updatemodule m JOIN devices_device d ON version = 1 + mod(d.id, %(versions)s)
WHERE m.name IN ('rootfs-image', 'container')
"""

AUDIT: Final = """
INSERT INTO core_auditevent (
  id, at, actor_id, actor, action, subject_type, subject_id, subject, reason, data, request_id)
SELECT gen_random_uuid(), now() - interval '1 year' * (%(audits)s - n) / %(audits)s, u.id, u.username,
  (ARRAY['upgrade.apply', 'device.refresh', 'device.change', 'upgrade.cancel', 'upgrade.retry'])[1 + mod(n, 5)],
  (ARRAY['upgrade', 'device', 'device', 'upgrade', 'upgrade'])[1 + mod(n, 5)], n::text,
  'berlin-gateway-' || lpad(mod(n, 100000)::text, 6, '0'), 'Ticket OPS-' || n, '{}', md5(n::text)
FROM generate_series(1, %(audits)s) n
JOIN auth_user u ON u.id = (SELECT min(id) FROM auth_user) + mod(n, %(people)s)
"""

STEPS: Final = {
    "artifacts": ARTIFACTS,
    "devices": DEVICES,
    "groups": GROUPS,
    "deployments": DEPLOYMENTS,
    "orders": ORDERS,
    "upgrades": UPGRADES,
    "events": EVENTS,
    "checks": CHECKS,
    "Update Modules": MODULES,
    "audit": AUDIT,
}


FILLED: Final = {"upgrades": "updates_upgrade", "audit": "core_auditevent"}
"""Tables whose indexes are made anew after they were filled, which is faster than row by row."""


def fill(size: Size) -> Iterator[str]:
    """The fleet is there, step by step: gives the name of each step once it is done. The database is empty before."""
    numbers = asdict(size) | {
        "people": PEOPLE,
        "keys": KEYS,
        "versions": VERSIONS,
        "direct": size.upgrades // 25,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        # Foreign keys are right by construction; to have each of five million looked up would take minutes.
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("SET LOCAL jit = off")
        cursor.execute("SET LOCAL work_mem = '128MB'")
        cursor.execute("SET LOCAL maintenance_work_mem = '512MB'")
        cursor.execute("SELECT setseed(0.5)")
        _people_and_keys()
        _statements(cursor, SHARES, numbers)
        for name, script in STEPS.items():
            with _without_indexes(cursor, FILLED.get(name, "")):
                _statements(cursor, script, numbers)
            yield name
        fill_systems()
        yield "running systems"
        fill_modules()
        yield "modules"
        fill_containers()
        yield "containers"
        fill_pulled()
        yield "devices that pull"
        cursor.execute(
            "DROP TABLE bench_type, bench_newest, bench_deployment, bench_device, bench_order"
        )


def settle() -> None:
    """The database knows what it holds, as it does on any evening after autovacuum: not inside a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _people_and_keys() -> None:
    for number in range(PEOPLE):
        begin(user=User.objects.create(username=f"person{number:02}", is_staff=True))
    create_token(user=User.objects.all()[0], name="bench", actor=PORTAL)
    for number in range(KEYS):
        generate_signing_key(name=f"house {number}", kind=Generated.ECDSA, actor=PORTAL)
    Credential.objects.create(
        name="fleet", kind=Credential.Kind.PASSWORD, username="root", secret=token_hex()
    )
    RegistryLogin.objects.create(registry="ghcr.io", username="fleet", secret=token_hex())


@contextmanager
def _without_indexes(cursor: CursorWrapper, table: str) -> Iterator[None]:
    """Meanwhile `table` has only the indexes that its constraints stand on."""
    cursor.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s AND indexname NOT IN"
        " (SELECT conname FROM pg_constraint) AND indexdef NOT LIKE 'CREATE UNIQUE%%'",
        [table],
    )
    indexes = cursor.fetchall()
    for name, _ in indexes:
        cursor.execute(f'DROP INDEX "{name}"')
    yield
    for _, definition in indexes:
        cursor.execute(definition)


def _statements(cursor: CursorWrapper, script: str, numbers: dict[str, int]) -> None:
    for statement in script.split(";\n"):
        cursor.execute(statement, numbers)
