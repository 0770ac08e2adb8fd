"""The history: every upgrade that ever was, found by what people remember of it, and taken away as a file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Any, Final, cast

from django import forms
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.text import Truncator
from django.views.decorators.http import require_GET

from devices.models import DeviceGroup
from portal.core import clock
from portal.core.errors import Refused
from portal.core.exports import as_file
from portal.core.keyset import PAGE, Slice, counted, slice_of
from portal.core.pages import REFUSED_STATUS, page, require
from updates.machine import Outcome, State
from updates.models import Artifact, Upgrade, choices
from updates.plan import Kind
from updates.queries import history
from updates.services.reports import history_csv, history_json_lines
from updates.upgrade_filter import UpgradeFilter

USUAL_DAYS: Final = "30"
DAYS: Final = (
    ("1", "Last 24 hours"), ("7", "Last 7 days"), (USUAL_DAYS, "Last 30 days"),
    ("90", "Last 90 days"), ("365", "Last year"), ("all", "All time"),
)  # fmt: skip
SPANS: Final = {"since": "from", "until": "to", "ended_since": "ended since"}
"""Words that say themselves how far back it goes."""
PLACE: Final = ("older", "newer")
OFFERED: Final = 100
"""Artifacts that the form offers: the newest. Older ones are found by the link on their own page."""
LONGEST_TYPES: Final = 60
"""Letters of an artifact's device types that the form shows."""


class HistoryForm(forms.Form):
    """The words of UpgradeFilter as fields, and `days`: how far back, unless another of its words says it."""

    q = forms.CharField(label="Search", required=False)
    days = forms.ChoiceField(label="When", choices=DAYS, required=False)
    outcome = forms.MultipleChoiceField(
        choices=choices(Outcome), required=False, widget=forms.CheckboxSelectMultiple
    )
    device = forms.CharField(label="Device", required=False)
    instance = forms.CharField(label="Instance", required=False)
    module = forms.CharField(label="Module", required=False)
    group = forms.ChoiceField(label="Group", required=False)
    release = forms.CharField(label="Release", required=False)
    artifact = forms.ChoiceField(label="Artifact", required=False)
    payload_type = forms.ChoiceField(label="Payload type", required=False)
    kind = forms.ChoiceField(label="Kind", choices=[("", "Any"), *choices(Kind)], required=False)
    requested_by = forms.CharField(label="Asked by", required=False)
    active = forms.ChoiceField(
        label="Running",
        choices=[("", "Any"), ("true", "Runs"), ("false", "Does not run")],
        required=False,
    )
    since = forms.CharField(
        label="From", required=False, widget=forms.TextInput(attrs={"type": "date"})
    )
    until = forms.CharField(
        label="To, with that day", required=False, widget=forms.TextInput(attrs={"type": "date"})
    )
    ended_since = forms.CharField(
        label="Ended since", required=False, widget=forms.TextInput(attrs={"type": "date"})
    )
    deployment = forms.CharField(required=False, widget=forms.HiddenInput)
    patch = forms.CharField(required=False, widget=forms.HiddenInput)
    state = forms.MultipleChoiceField(
        choices=choices(State), required=False, widget=forms.CheckboxSelectMultiple
    )
    in_sight = ("q", "days")
    seldom = (
        "device", "instance", "module", "group", "release", "artifact", "payload_type", "kind", "requested_by",
        "active", "since", "until", "ended_since",
    )  # fmt: skip

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data)
        rows = Artifact.objects.values_list("pk", "name", "device_types")[:OFFERED]
        offered = {str(pk): _told_apart(name, types) for pk, name, types in rows}
        chosen = data.get("artifact", "")
        if chosen and chosen not in offered:
            offered[chosen] = "An older one"
        types = Artifact.objects.order_by("payload_type").values_list("payload_type", flat=True)
        groups = DeviceGroup.objects.order_by("name").values_list("pk", "name")
        self._offer("group", {str(pk): name for pk, name in groups})
        self._offer("artifact", offered)
        self._offer("payload_type", {word: word for word in types.distinct()})

    def _offer(self, name: str, offered: dict[str, str]) -> None:
        field = cast(forms.ChoiceField, self.fields[name])
        field.choices = [("", "Any"), *offered.items()]

    @property
    def hidden_away(self) -> list[forms.BoundField]:
        """Fields that wait behind "More"."""
        return [self[name] for name in self.seldom]

    @property
    def is_open(self) -> bool:
        """Whether one of those behind "More" says something."""
        return any(field.value() for field in [*self.hidden_away, self["state"]])


@dataclass(frozen=True)
class Asked:
    """What the address asks the history for."""

    words: QueryDict

    @classmethod
    def of(cls, request: HttpRequest) -> Asked:
        """What is empty says nothing."""
        words = QueryDict(mutable=True)
        for name, values in request.GET.lists():
            if given := [value.strip() for value in values if value.strip()]:
                words.setlist(name, given)
        if not set(SPANS) & set(words):
            words.setdefault("days", USUAL_DAYS)
        return cls(words)

    @cached_property
    def upgrades(self) -> QuerySet[Upgrade]:
        """What is asked for, newest first. Refused, with the reason, when the words make no sense."""
        given = self.words.copy()
        for word in ("days", *PLACE):
            given.pop(word, None)
        until = _day(given.get("until", ""))
        if until and until < date.max:
            given["until"] = _beginning(until + timedelta(days=1)).isoformat()
        found = UpgradeFilter(given, queryset=history())
        if unknown := set(given) - set(found.filters):
            raise Refused(f"The history knows no {', '.join(sorted(unknown))}.")
        if not found.is_valid():
            field, problems = next(iter(found.errors.items()))
            raise Refused(f"The history cannot be asked for that: {field}: {problems[0]}")
        upgrades: QuerySet[Upgrade] = found.qs
        days = self.words.get("days", "all")
        if days not in dict(DAYS):
            raise Refused("The history goes back 1, 7, 30, 90, 365 or all days.")
        if days != "all" and not set(SPANS) & set(given):
            upgrades = upgrades.filter(created_at__gte=clock.now() - timedelta(days=int(days)))
        return upgrades

    def query(self, **changed: str) -> str:
        """The same words as part of an address, without a place in the pages, and with what is changed."""
        words = self.words.copy()
        for word in PLACE:
            words.pop(word, None)
        for word, value in changed.items():
            words[word] = value
        return words.urlencode()

    @property
    def span(self) -> str:
        """How far back, in words."""
        said = [f"{word} {self.words[name]}" for name, word in SPANS.items() if name in self.words]
        if said:
            return " ".join(said)
        return dict(DAYS).get(str(self.words["days"]), "").lower()


def history_page(request: HttpRequest) -> HttpResponse:
    """A page of the upgrades that the address asks for."""
    require(request, "updates.view_upgrade")
    asked = Asked.of(request)
    context: dict[str, Any] = {
        "form": HistoryForm(asked.words),
        "span": asked.span,
        "all_time": asked.query(days="all") if asked.words.get("days", "all") != "all" else "",
        "is_narrow": set(asked.words) - {"days", *PLACE},
        "here": reverse("admin:updates_upgrade_changelist"),
        "rest": asked.query(),
    }
    try:
        upgrades = asked.upgrades
    except Refused as error:
        answer = page(
            request,
            "updates/history.html",
            title="History",
            model=Upgrade,
            context=context | {"refusal": error},
        )
        answer.status_code = REFUSED_STATUS
        return answer
    shown = slice_of(
        upgrades.defer("plan"),
        time="created_at",
        older=asked.words.get("older", ""),
        newer=asked.words.get("newer", ""),
    )
    context |= {"shown": shown, "count": _count(upgrades, shown, has_words="q" in asked.words)}
    return page(request, "updates/history.html", title="History", model=Upgrade, context=context)


def _count(upgrades: QuerySet[Upgrade], shown: Slice[Upgrade], *, has_words: bool) -> str:
    """How many there are. What words find is not counted beyond a page: that may take as long as reading the whole history."""
    if not has_words:
        return counted(upgrades)
    return f"more than {PAGE}" if shown.newer or shown.older else f"{len(shown.rows)}"


@require_GET
def history_file(request: HttpRequest, form: str) -> StreamingHttpResponse:
    """All upgrades that the address asks for, as a file that is written while it is read."""
    require(request, "updates.view_upgrade")
    try:
        upgrades = Asked.of(request).upgrades
    except Refused as error:
        raise Http404(str(error)) from error
    lines = history_csv(upgrades) if form == "csv" else history_json_lines(upgrades)
    return as_file(lines, name=f"history {clock.now():%Y-%m-%d}", form=form)


def _told_apart(name: str, device_types: list[str]) -> str:
    """An artifact among the others of its release, which have the same name."""
    return f"{name} for {Truncator(', '.join(device_types)).chars(LONGEST_TYPES)}"


def _day(text: str) -> date | None:
    """The day that is meant; None when it is more or less than one."""
    try:
        return parse_date(text)
    except ValueError:
        return None


def _beginning(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
