"""Where everything is."""

from django.contrib import admin
from django.urls import path

from portal import health

urlpatterns = [
    path("livez", health.livez),
    path("readyz", health.readyz),
    path("", admin.site.urls),
]
