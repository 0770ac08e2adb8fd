"""Addresses of the pages about one's own second factor."""

from django.urls import path

from portal.second_factor import pages

app_name = "second_factor"
urlpatterns = [
    path("", pages.home, name="home"),
    path("ask/", pages.ask, name="ask"),
    path("start/", pages.start, name="start"),
    path("enrol/", pages.enrol, name="enrol"),
    path("recovery-codes/", pages.recovery_codes, name="recovery_codes"),
    path("remove/", pages.take_off, name="remove"),
]
