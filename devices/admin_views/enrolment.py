"""Who asks to be let in: the list of keys, and a page for each thing that can be decided about them."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from unfold.widgets import UnfoldAdminTextareaWidget

from devices.admin_views.counted import CountedForm, CountedPage
from devices.admin_views.links import device_url
from devices.keys import key_counts, keys_with, rivalled, with_rivals
from devices.models import AuthSet
from devices.services.enrolment import (
    DECIDE,
    accept_many,
    dismiss,
    dismiss_many,
    reject,
    reject_many,
)
from portal.core.keyset import counted, slice_of
from portal.core.pages import Button, VerbPage, page, require, why_not_permitted

VIEW: Final = "devices.view_authset"
PER_PAGE: Final = 25
NAMED: Final = 12
MOST_PICKED: Final = 200
Status = AuthSet.Status
TABS: Final = (Status.PENDING, Status.PREAUTHORIZED, Status.ACCEPTED, Status.REJECTED)
TOGETHER: Final = {
    Status.PENDING: ("accept", "reject", "dismiss"),
    Status.PREAUTHORIZED: ("dismiss",),
    Status.REJECTED: ("accept", "dismiss"),
}
"""What can be done to keys that are picked in the list."""
MEANS: Final = {
    Status.PENDING: "They ask again and again until somebody decides. None of them learns anything meanwhile.",
    Status.PREAUTHORIZED: "They are let in as soon as they ask, and have not asked yet.",
    Status.ACCEPTED: "They are let in. A rejected one is shut out at once.",
    Status.REJECTED: "They are not let in, however often they ask. Accepting one of them is the way back.",
}


def keys_url(**words: str) -> str:
    """The list, with these words."""
    query = QueryDict(mutable=True)
    query.update({word: value for word, value in words.items() if value})
    address = reverse("admin:devices_authset_changelist")
    return f"{address}?{query.urlencode()}" if query else address


def key_list(request: HttpRequest) -> HttpResponse:
    """A page of the keys of one status, in which the words of the search stand."""
    require(request, VIEW)
    status, text = _status_in(request.GET), _text_in(request.GET)
    found = keys_with(status=status, text=text)
    shown = slice_of(
        with_rivals(found),
        time="requested_at" if status == Status.PENDING else "decided_at",
        older=request.GET.get("older", ""),
        newer=request.GET.get("newer", ""),
        size=PER_PAGE,
    )
    counts = key_counts()
    context = {
        "tabs": [(tab.value, tab.label, counts[tab.value]) for tab in TABS],
        "chosen": status.value,
        "means": MEANS[status],
        "text": text,
        "rest": keys_url(status=status.value, q=text).partition("?")[2],
        "shown": shown,
        "count": counted(found),
        "why_not": why_not_permitted(request, DECIDE),
        "together": TOGETHER.get(status, ()),
        "buttons": _buttons(request),
    }
    return page(
        request, "devices/enrolment.html", title="Enrolment", model=AuthSet, context=context
    )


class AcceptForm(CountedForm):
    """Whoever lets a device in need not say why."""

    reason = forms.CharField(
        label="Reason",
        help_text="If there is something to say: it is kept in the history.",
        max_length=2000,
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
    )


class ManyKeys(CountedPage):
    """A verb about the keys that the address names, or all that its search finds. Refused when these changed meanwhile."""

    template_name = "devices/many_keys.html"
    model = AuthSet
    permission = DECIDE
    changed = "Others ask since you looked"
    what = "keys"
    verb: str

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> Any:  # noqa: ANN401 - as Django has it
        if "everything" not in request.GET and "key" not in request.GET:
            messages.error(request, "Pick devices first, or all that the search finds.")
            return redirect(self.back())
        return super().dispatch(request, *args, **kwargs)

    def find(self) -> None:
        found = _picked(self.request.GET)
        ids = list(found.order_by().values_list("pk", flat=True))
        if not ids:
            raise Http404("None of these keys is left to be decided.")
        # The conditions stay: a key that somebody else decides about in this very moment is none of these any more.
        self.ids, self.keys = ids, found.filter(pk__in=ids)
        self.button = f"{self.verb} {'it' if self.count == 1 else 'them'}"

    def title(self) -> str:
        return f"{self.verb} {'a key' if self.count == 1 else f'{self.count} keys'}"

    def back(self) -> str:
        asked = self.request.GET
        return keys_url(status=_status_in(asked).value, q=_text_in(asked))

    def get_context_data(self, **kwargs: object) -> dict[str, Any]:
        named = self.keys.select_related("identity__device").order_by("requested_at", "pk")
        return super().get_context_data(**kwargs) | {
            "count": self.count,
            "named": named[:NAMED],
            "others": max(0, self.count - NAMED),
        }


class AcceptKeys(ManyKeys):
    template_name = "devices/accept_keys.html"
    form_class = AcceptForm
    verb = "Accept"
    what = "devices"

    def title(self) -> str:
        return "Accept a device" if self.count == 1 else f"Accept {self.count} devices"

    def says(self) -> list[str]:
        replaced = rivalled(self.keys)
        says = ["From then on it is sent what is ordered for it, as soon as it asks the next time."]
        if self.count > 1:
            says = ["From then on they are sent what is ordered for them, when they ask."]
        if replaced:
            says.append(
                "One of these is another key of a device that has one: the old one is rejected."
                if replaced == 1
                else f"{replaced} of these are other keys of devices that have one: the old ones are rejected."
            )
        return says

    def act(self, form: forms.Form) -> str:
        given = form.cleaned_data
        self.require_as_seen(given)
        done = accept_many(auth_sets=self.keys, actor=self.actor, reason=given["reason"].strip())
        for _key, why in done.left[:NAMED]:
            messages.warning(self.request, why)
        if len(done.devices) == 1:
            messages.success(self.request, f"{done.devices[0]} is let in.")
            return device_url(done.devices[0])
        messages.success(self.request, f"{len(done.devices)} devices are let in.")
        return self.back()


class RejectKeys(ManyKeys):
    verb = "Reject"
    is_danger = True

    def says(self) -> list[str]:
        return ["They may go on asking, and are not let in. Accepting a key later is the way back."]

    def act(self, form: forms.Form) -> str:
        given = form.cleaned_data
        self.require_as_seen(given)
        keys = reject_many(auth_sets=self.keys, actor=self.actor, reason=given["reason"])
        messages.success(self.request, f"Rejected: {len(keys)}.")
        return self.back()


class DismissKeys(ManyKeys):
    verb = "Forget"
    is_danger = True

    def says(self) -> list[str]:
        return [
            "The keys are forgotten. If a device asks with one of them again, it waits to be decided."
        ]

    def act(self, form: forms.Form) -> str:
        given = form.cleaned_data
        self.require_as_seen(given)
        count = dismiss_many(auth_sets=self.keys, actor=self.actor, reason=given["reason"])
        messages.success(self.request, f"Forgotten: {count}.")
        return self.back()


class KeyVerb(VerbPage):
    """A verb about one key."""

    model = AuthSet
    permission = DECIDE
    is_danger = True

    def find(self) -> None:
        keys = AuthSet.objects.select_related("identity__device")
        self.key = get_object_or_404(keys, pk=self.kwargs["pk"])

    def back(self) -> str:
        return keys_url(status=self.key.status)


class RejectKey(KeyVerb):
    button = "Reject it"

    def title(self) -> str:
        return f"Reject {self.key.identity}"

    def says(self) -> list[str]:
        if self.key.status == Status.ACCEPTED:
            return [
                "Its token is worth nothing from now on: no order reaches the device, and it learns nothing.",
                "Accepting the key again is the way back.",
            ]
        return ["It may go on asking, and is not let in. Accepting the key later is the way back."]

    def act(self, form: forms.Form) -> str:
        key = reject(auth_set=self.key, actor=self.actor, reason=form.cleaned_data["reason"])
        messages.success(self.request, f"{key.identity} is not let in.")
        return self.back()


class DismissKey(KeyVerb):
    button = "Forget it"

    def title(self) -> str:
        return f"Forget a key of {self.key.identity}"

    def says(self) -> list[str]:
        return ["The key is forgotten. If a device asks with it again, it waits to be decided."]

    def act(self, form: forms.Form) -> str:
        name, back = str(self.key.identity), self.back()
        dismiss(auth_set=self.key, actor=self.actor, reason=form.cleaned_data["reason"])
        messages.success(self.request, f"The key of {name} is forgotten.")
        return back


def _picked(query: QueryDict) -> QuerySet[AuthSet]:
    if "everything" in query:
        found = keys_with(status=_status_in(query), text=_text_in(query))
        return found.exclude(status=Status.ACCEPTED)
    try:
        keys = [UUID(word) for word in query.getlist("key")[:MOST_PICKED]]
    except ValueError:
        raise Http404 from None
    found = AuthSet.objects.filter(pk__in=keys).select_related("identity__device")
    if "status" in query:
        found = found.filter(status=_status_in(query))
    return found.exclude(status=Status.ACCEPTED)


def _status_in(query: QueryDict) -> AuthSet.Status:
    given = query.get("status", "")
    return Status(given) if given in Status.values else Status.PENDING


def _text_in(query: QueryDict) -> str:
    return query.get("q", "").replace("\0", "").strip()


def _buttons(request: HttpRequest) -> list[Button]:
    why_not = why_not_permitted(request, DECIDE)
    return [
        Button("Preauthorise", reverse("admin:devices_authset_preauthorise"), why_not=why_not),
        Button(
            "Preauthorise from a file",
            reverse("admin:devices_authset_preauthorise_file"),
            why_not=why_not,
        ),
    ]
