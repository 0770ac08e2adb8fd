"""Where everything is."""

from django.contrib import admin
from django.urls import include, path, re_path

from devices import mender_views
from portal import health
from portal.dashboard import front_page
from portal.sign_in.own_password import change_password

urlpatterns = [
    path("livez", health.livez),
    path("readyz", health.readyz),
    path("api/v1/", include("portal.api")),
    path("api/upgrade/", include("updates.api.seed_upgrade")),
    path("api/devices/", include("devices.mender_urls")),
    path("api/devices/", include("updates.mender_urls")),
    re_path("^api/devices/", mender_views.nowhere),
    path("api/management/", include("portal.mender_management.urls")),
    path("second-factor/", include("portal.second_factor.urls")),
    path("queue/", include("portal.queue_pages")),
    path("overview/running/", front_page.running_fragment, name="running"),
    path("overview/deployments/", front_page.deployments_fragment, name="running-deployments"),
    path("overview/pictures/", front_page.pictures_fragment, name="pictures"),
    path("overview/systems/", front_page.systems_fragment, name="systems"),
    path("overview/works/", front_page.works_fragment, name="works"),
    path("password_change/", admin.site.admin_view(change_password, cacheable=True)),
    path("", admin.site.urls),
]
