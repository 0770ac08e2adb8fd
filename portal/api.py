"""The operators' API, composed: which address leads to which view. No trailing slashes."""

from __future__ import annotations

from django.urls import include, path, re_path
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView

from devices.api.bulk_orders import BulkOrders
from devices.api.credentials import Credentials
from devices.api.devices import Devices
from devices.api.engines import Engines, RegistryLogins
from devices.api.groups import DeviceGroupMembers, DeviceGroups
from devices.api.keys import DeviceKeys
from patches.api.modules import Instances, Modules
from patches.api.nodes import Nodes
from patches.api.patches import PatchChecks, Patches
from portal.core.api import AuditEvents
from updates.api.artifacts import Artifacts
from updates.api.backups import Backups
from updates.api.checks import ArtifactChecks
from updates.api.deployments import Deployments
from updates.api.image_checks import ImageChecks
from updates.api.image_removals import ImageRemovals
from updates.api.installations import Installations
from updates.api.keys import SigningKeys, TrustedKeys
from updates.api.module_orders import ModuleOrders
from updates.api.releases import Releases
from updates.api.repositories import Repositories
from updates.api.stuck import StuckUpgrades
from updates.api.update_modules import UpdateModuleChecks, UpdateModules
from updates.api.upgrades import Upgrades
from updates.api.watched import WatchedContainers


@extend_schema(exclude=True)
class Nowhere(APIView):
    """Every address under the API that leads nowhere says so in the API's own words."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        raise NotFound("The API has no such address; addresses end without a slash.")


router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("releases", Releases, basename="releases")
router.register("artifacts", Artifacts, basename="artifacts")
router.register("artifacts/<uuid:artifact>/checks", ArtifactChecks, basename="artifact-checks")
router.register("trusted-keys", TrustedKeys, basename="trusted-keys")
router.register("signing-keys", SigningKeys, basename="signing-keys")
router.register("update-modules", UpdateModules, basename="update-modules")
router.register(
    "update-modules/<int:module>/checks", UpdateModuleChecks, basename="update-module-checks"
)
router.register("devices", Devices, basename="devices")
router.register("device-keys", DeviceKeys, basename="device-keys")
router.register("device-groups", DeviceGroups, basename="device-groups")
router.register(
    "device-groups/<int:group>/members", DeviceGroupMembers, basename="device-group-members"
)
router.register("bulk-orders", BulkOrders, basename="bulk-orders")
router.register("credentials", Credentials, basename="credentials")
router.register("engines", Engines, basename="engines")
router.register("registry-logins", RegistryLogins, basename="registry-logins")
router.register("modules", Modules, basename="modules")
router.register("instances", Instances, basename="instances")
router.register("installations", Installations, basename="installations")
router.register("module-orders", ModuleOrders, basename="module-orders")
router.register("image-checks", ImageChecks, basename="image-checks")
router.register("watched-containers", WatchedContainers, basename="watched-containers")
router.register("backups", Backups, basename="backups")
router.register("image-removals", ImageRemovals, basename="image-removals")
router.register("repositories", Repositories, basename="repositories")
router.register("nodes", Nodes, basename="nodes")
router.register("patches", Patches, basename="patches")
router.register("patches/<uuid:patch>/checks", PatchChecks, basename="patch-checks")
router.register("deployments", Deployments, basename="deployments")
router.register("stuck-upgrades", StuckUpgrades, basename="stuck-upgrades")
router.register("upgrades", Upgrades, basename="upgrades")
router.register("audit-events", AuditEvents, basename="audit-events")

urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("", include(router.urls)),
    re_path("", Nowhere.as_view()),
]
