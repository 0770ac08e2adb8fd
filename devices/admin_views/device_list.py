"""The fleet: found by what is known of it, picked, and handed to a verb."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, cast

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from devices.models import Device, DeviceGroup
from devices.queries import devices_matching, devices_open_to
from devices.services.bulk import PERMISSIONS, Verb
from devices.services.device_files import devices_csv
from devices.services.selections import store_selection
from portal.core import clock
from portal.core.errors import Refused
from portal.core.exports import as_file
from portal.core.keyset import counted, slice_by_name
from portal.core.models import SavedFilter
from portal.core.pages import REFUSED_STATUS, Button, page, require, why_not_permitted
from portal.core.saved_filters import SHARE, filters_for

PLACE: Final = ("older", "newer")
DEPLOY: Final = "deploy"
VERBS: Final = (
    (DEPLOY, "Deploy to them", "updates.deploy_artifact"),
    (Verb.REFRESH.value, "Refresh", PERMISSIONS[Verb.REFRESH]),
    (Verb.ADD_TO_GROUP.value, "Add to a group", PERMISSIONS[Verb.ADD_TO_GROUP]),
    (Verb.REMOVE_FROM_GROUP.value, "Remove from a group", PERMISSIONS[Verb.REMOVE_FROM_GROUP]),
    (Verb.DELETE.value, "Delete", PERMISSIONS[Verb.DELETE]),
)
"""What can be done to picked devices: the verb, its button, its permission."""
YES_NO: Final = [("", "Any"), ("true", "Yes"), ("false", "No")]


class DeviceListForm(forms.Form):
    """The words of DeviceFilter as fields."""

    q = forms.CharField(label="Search", required=False)
    device_type = forms.CharField(label="Device type", required=False)
    installed = forms.CharField(label="Installed", required=False)
    group = forms.ModelChoiceField(
        DeviceGroup.objects.all(), label="Group", required=False, empty_label="Any"
    )
    unreachable = forms.ChoiceField(label="Unreachable", choices=YES_NO, required=False)
    silent_days = forms.IntegerField(
        label="Silent for days", required=False, min_value=1, max_value=3650
    )
    inconsistent = forms.ChoiceField(label="Broken", choices=YES_NO, required=False)
    outdated = forms.ChoiceField(label="Outdated", choices=YES_NO, required=False)
    shut_out = forms.ChoiceField(label="Shut out", choices=YES_NO, required=False)
    nothing_known = forms.ChoiceField(label="Nothing known", choices=YES_NO, required=False)
    other_than = forms.CharField(
        label="Other than",
        required=False,
        widget=forms.Textarea(attrs={"rows": 1, "placeholder": "names, one per line"}),
    )
    driver = forms.ChoiceField(
        label="Driver", choices=[("", "Any"), *Device.Driver.choices], required=False
    )
    attribute = forms.CharField(
        label="Attributes",
        required=False,
        widget=forms.TextInput(attrs={"placeholder": "site=Leipzig; floor>3; os~debian"}),
    )
    always = ("device_type", "installed", "group")
    seldom = (
        "unreachable", "silent_days", "inconsistent", "outdated", "nothing_known", "other_than",
        "driver", "shut_out", "attribute",
    )  # fmt: skip

    @property
    def in_sight(self) -> list[forms.BoundField]:
        """Fields beside the search."""
        return [self[name] for name in self.always]

    @property
    def hidden_away(self) -> list[forms.BoundField]:
        """Fields that wait behind "More"."""
        return [self[name] for name in self.seldom]

    @property
    def is_open(self) -> bool:
        """Whether one of those behind "More" says something."""
        return any(field.value() for field in self.hidden_away)


@dataclass(frozen=True)
class Asked:
    """What the address asks the fleet for."""

    words: dict[str, str]
    older: str
    newer: str
    user: User

    @classmethod
    def of(cls, request: HttpRequest) -> Asked:
        """What is empty says nothing."""
        return cls.read(request.GET, user=cast(User, request.user))

    @classmethod
    def read(cls, query: QueryDict, *, user: User) -> Asked:
        """The same from a query that stands somewhere else."""
        words = {name: str(value).strip() for name, value in query.items() if str(value).strip()}
        older, newer = (words.pop(word, "") for word in PLACE)
        return cls(words, older, newer, user)

    @cached_property
    def devices(self) -> QuerySet[Device]:
        """What is asked for. Refused, with the reason, when the words make no sense."""
        found = devices_matching(self.words)
        return (
            devices_open_to(self.user).filter(pk__in=found.values("pk"))
            if self.words
            else devices_open_to(self.user)
        )

    @property
    def query(self) -> str:
        """The words as part of an address, without a place in the pages."""
        query = QueryDict(mutable=True)
        query.update(self.words)
        return query.urlencode()


def device_list(request: HttpRequest) -> HttpResponse:
    """A page of the devices that the address asks for."""
    require(request, "devices.view_device")
    asked = Asked.of(request)
    context: dict[str, Any] = {
        "form": DeviceListForm(QueryDict(asked.query)),
        "words": asked.words,
        "rest": asked.query,
        "here": reverse("admin:devices_device_changelist"),
        "opts": Device._meta,
        "saved": filters_for(asked.user, SavedFilter.Place.DEVICES),
        "why_not_share": why_not_permitted(request, SHARE),
        "may_see_upgrades": not why_not_permitted(request, "updates.view_upgrade"),
        "verbs": [(verb, label, why_not_permitted(request, may)) for verb, label, may in VERBS],
        "buttons": _buttons(request),
    }
    try:
        devices = asked.devices
    except Refused as error:
        answer = _page(request, context | {"refusal": error})
        answer.status_code = REFUSED_STATUS
        return answer
    shown = slice_by_name(devices, name="name", older=asked.older, newer=asked.newer)
    return _page(request, context | {"shown": shown, "count": counted(devices)})


@require_GET
def device_file(request: HttpRequest) -> StreamingHttpResponse:
    """All devices that the address asks for, in the form that the import reads."""
    require(request, "devices.view_device")
    try:
        devices = Asked.of(request).devices
    except Refused as error:
        raise Http404(str(error)) from error
    return as_file(devices_csv(devices), name=f"devices {clock.now():%Y-%m-%d}", form="csv")


@require_POST
def pick_devices(request: HttpRequest) -> HttpResponse:
    """The picked devices are kept as a selection, and the page of the chosen verb asks what to do with them."""
    actor = require(request, "devices.view_device")
    query = QueryDict(request.POST.get("query", ""))
    asked = Asked.read(query, user=cast(User, request.user))
    back = f"{reverse('admin:devices_device_changelist')}?{asked.query}"
    everything = request.POST.get("everything") == "on"
    ids = [int(pk) for pk in request.POST.getlist("device") if pk.isascii() and pk.isdigit()]
    verb = request.POST.get("verb", "")
    if not ids and not everything:
        messages.error(request, "Pick devices first, or all that the filter finds.")
        return redirect(back)
    if verb not in {name for name, *_ in VERBS}:
        raise Http404
    try:
        selection = store_selection(ids=[] if everything else ids, words=asked.words, actor=actor)
    except Refused as error:
        messages.error(request, str(error))
        return redirect(back)
    if verb == DEPLOY:
        return redirect(f"{reverse('admin:updates_deployment_deploy')}?selection={selection.pk}")
    return redirect(f"{reverse('admin:devices_device_bulk', args=[verb])}?selection={selection.pk}")


def _page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    return page(request, "devices/device_list.html", title="Devices", model=Device, context=context)


def _buttons(request: HttpRequest) -> list[Button]:
    may_add = why_not_permitted(request, "devices.add_device")
    return [
        Button("Add device", reverse("admin:devices_device_add"), why_not=may_add, is_main=True),
        Button("Import", reverse("admin:devices_device_import"), why_not=may_add),
    ]
