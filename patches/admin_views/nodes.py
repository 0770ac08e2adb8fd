"""Pages about nodes: one node as it is, looking again, restart, delete."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_POST

from patches.admin_views.results import Shown, shown
from patches.models import Node, NodeResult
from patches.queries import expected_on, in_force
from patches.services.node_records import delete_node
from patches.services.nodes import is_being_restarted, request_look, request_restart
from portal.core import clock
from portal.core.pages import (
    Button,
    VerbPage,
    mark_of,
    page,
    require,
    why_not_permitted,
)
from portal.core.queries import edits_of
from updates.admin_views.panel import Panel, polled

SHOWN_RESULTS: Final = 15
SHOWN_FILES: Final = 100
PATIENCE: Final = timedelta(minutes=2)
"""How long a page waits for an answer that somebody asked for."""
NO_COMMAND: Final = "Nobody has said by which command it is restarted: edit it."


def nodes_for_pages() -> Any:  # noqa: ANN401 - a QuerySet without the secret
    """Nodes with all that pages show of them, and without what they never show."""
    return Node.objects.select_related("instance__module", "device").defer("secret", "tls_key")


def node_page(request: HttpRequest, node: Node) -> HttpResponse:
    """How the node is reached, how it was when it was last asked, what it answered to patches."""
    require(request, "patches.view_node")
    answered = NodeResult.objects.filter(node=node).select_related(
        "check_of__patch", "check_of__instance", "upgrade__instance", "upgrade__device"
    )
    newest = answered.defer("files").order_by("-at", "-id")[:SHOWN_RESULTS]
    may_see_edits = not why_not_permitted(request, "core.view_auditevent")
    return page(
        request,
        "patches/node.html",
        title=node.name,
        model=Node,
        context={
            "node": node,
            "state": state_panel(request, node),
            "results": [(row, _status(row)) for row in newest],
            "edits": edits_of(node) if may_see_edits else None,
            "buttons": _buttons(request, node),
        },
    )


def _status(row: NodeResult) -> Shown | None:
    return shown(row.status)


@polled("patches.view_node")
def state_fragment(request: HttpRequest, pk: int) -> Panel:
    """What a waiting page polls until the node has answered; 286 from then on."""
    return state_panel(request, get_object_or_404(nodes_for_pages(), pk=pk))


def state_panel(request: HttpRequest, node: Node) -> Panel:
    """How the node was when it was last asked. With `asked` in the address, it waits for an answer from after that time."""
    asked = _time(request.GET.get("asked", ""))
    is_asked = asked is not None and (node.asked_at is None or node.asked_at < asked)
    is_restarting = is_being_restarted(node)
    is_waiting = is_restarting or (
        is_asked and asked is not None and clock.now() - asked < PATIENCE
    )
    loaded = {row["path"]: row["loaded"] for row in node.drift}
    expected = sorted(expected_on(node).items())
    html = render_to_string(
        "patches/node_state.html",
        {
            "node": node,
            "is_waiting": is_waiting,
            "is_restarting": is_restarting,
            "in_force": in_force(node.instance),
            "modules": [
                (path, version, loaded.get(path, "")) for path, version in expected[:SHOWN_FILES]
            ],
            "rest": max(0, len(expected) - SHOWN_FILES),
        },
    )
    url = reverse("admin:patches_node_state", args=[node.pk])
    return Panel(
        html,
        mark_of(html),
        is_waiting=is_waiting,
        url=f"{url}?asked={request.GET.get('asked', '')[:20] if asked else ''}",
        seconds=1,
    )


@require_POST
def look(request: HttpRequest, pk: int) -> HttpResponse:
    """Every node of its instance is being asked how it is; the page waits for the answer."""
    actor = require(request, "patches.look_at_node")
    node = get_object_or_404(nodes_for_pages(), pk=pk)
    asked = clock.now().timestamp()
    request_look(instance=node.instance, actor=actor)
    return redirect(f"{node_url(node)}?asked={asked:.3f}")


class NodeVerb(VerbPage):
    """A verb for the node that the address names."""

    model = Node
    is_danger = True

    def find(self) -> None:
        self.node: Node = get_object_or_404(nodes_for_pages(), pk=self.kwargs["pk"])

    def title(self) -> str:
        return f"{self.button}: {self.node}"

    def back(self) -> str:
        return node_url(self.node)


class RestartNode(NodeVerb):
    permission = "patches.restart_node"
    button = "Restart"

    def says(self) -> list[str]:
        node = self.node
        if not node.restart_command:
            return [NO_COMMAND]
        return [
            f"On {node.device} this command is run: {node.restart_command}",
            "What the node is doing now ends with it. It comes back with the files that are on its disk, patched ones too.",
            "Afterwards it is asked how it is.",
        ]

    def act(self, form: forms.Form) -> str:
        request_restart(node=self.node, actor=self.actor, reason=form.cleaned_data["reason"])
        messages.success(self.request, f"{self.node} is being restarted.")
        return node_url(self.node)


class DeleteNode(NodeVerb):
    permission = "patches.delete_node"
    button = "Delete node"

    def says(self) -> list[str]:
        return [
            f"No patch of {self.node.instance} goes to {self.node} any more. Nothing changes on the node itself.",
            "What it answered before stays in the history.",
        ]

    def act(self, form: forms.Form) -> str:
        name = str(self.node)
        delete_node(node=self.node, actor=self.actor, reason=form.cleaned_data["reason"])
        messages.success(self.request, f"{name} is deleted.")
        return reverse("admin:patches_node_changelist")


def node_url(node: Node) -> str:
    """The node's own page."""
    return reverse("admin:patches_node_change", args=[node.pk])


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(float(text[:20]), tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _buttons(request: HttpRequest, node: Node) -> list[Button]:
    return [
        Button(
            "Look again",
            reverse("admin:patches_node_look", args=[node.pk]),
            why_not=why_not_permitted(request, "patches.look_at_node"),
            posts=True,
        ),
        Button(
            "Restart",
            reverse("admin:patches_node_restart", args=[node.pk]),
            why_not=why_not_permitted(request, "patches.restart_node")
            or ("" if node.restart_command else NO_COMMAND),
            is_main=bool(node.restart_needed),
        ),
        Button(
            "Edit",
            reverse("admin:patches_node_edit", args=[node.pk]),
            why_not=why_not_permitted(request, "patches.change_node"),
        ),
        Button(
            "Delete",
            reverse("admin:patches_node_delete_page", args=[node.pk]),
            why_not=why_not_permitted(request, "patches.delete_node"),
            is_danger=True,
        ),
    ]
