"""Where everything is."""

from django.contrib import admin
from django.urls import include, path

from portal import health

urlpatterns = [
    path("livez", health.livez),
    path("readyz", health.readyz),
    path("api/v1/", include("portal.api")),
    path("second-factor/", include("portal.second_factor.urls")),
    path("queue/", include("portal.queue_pages")),
    path("", admin.site.urls),
]
