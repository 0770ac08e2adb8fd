"""Forms of the pages about patches, nodes and instances. What is allowed is the services' business, not theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.urls import reverse_lazy
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from patches.models import Node
from patches.services.node_records import require_sense
from portal.core.forms import ReasonForm, SecretArea, tick
from updates.models import Module

if TYPE_CHECKING:
    NodeModelForm = forms.ModelForm[Node]
else:
    NodeModelForm = forms.ModelForm

KEEP = "Set. Leave it empty to keep the one that is set; it is never shown."


class PatchUploadForm(forms.Form):
    module = forms.ModelChoiceField(
        queryset=Module.objects.exclude(runtime=""),
        help_text="What the patch is for.",
        widget=UnfoldAdminSelectWidget(
            attrs={
                "hx-get": reverse_lazy("admin:patches_patch_versions"),
                "hx-target": "#versions",
                "hx-trigger": "load, change",
            }
        ),
    )
    version = forms.CharField(
        max_length=100,
        help_text="The one that it was built for: it goes into instances of exactly this version.",
        widget=UnfoldAdminTextInputWidget(attrs={"list": "versions", "autocomplete": "off"}),
    )
    file = forms.FileField(label="File", widget=UnfoldAdminFileFieldWidget())
    notes = forms.CharField(
        required=False,
        max_length=2000,
        help_text="For whoever applies it.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
    )


class ApplyPatchForm(ReasonForm):
    override = tick(
        "Leave out what the check refuses",
        "Files that are refused on a node with error, not code or wrong path are left out there; the others go in.",
    )
    field_order = ("override", "reason")


class InstallationForm(ReasonForm):
    version = forms.CharField(
        label="Installed version",
        max_length=100,
        help_text="The one that is installed now, the same as before included.",
        widget=UnfoldAdminTextInputWidget(),
    )
    field_order = ("version", "reason")


class NodeForm(NodeModelForm):
    """Secrets are taken in and never given out: an empty field keeps what is stored."""

    new_secret = forms.CharField(
        label="Secret",
        required=False,
        max_length=1000,
        help_text="The cookie of an Erlang node; the key of a Python system's agents, of 16 bytes or more.",
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )
    new_tls_key = forms.CharField(
        label="Its private key",
        required=False,
        max_length=16 * 1024,
        help_text="In PEM form.",
        widget=SecretArea(rows=4),
    )
    shown_as = {"secret": "new_secret", "tls_key": "new_tls_key"}

    class Meta:
        model = Node
        fields = (
            "name", "instance", "device", "address", "host", "way", "port_mapper", "tls_authority",
            "tls_certificate", "root", "application", "restart_command",
        )  # fmt: skip
        labels = {
            "port_mapper": "Port of epmd",
            "tls_authority": "Authority",
            "tls_certificate": "Our certificate",
        }
        help_texts = {
            "device": "The machine that it runs on.",
            "address": "name@host for an Erlang node; for a Python system a port, or the folder of its agents' sockets.",
            "host": "Where to ask for it, if not at the host in its address.",
            "way": "Whether the portal connects to it by itself, or through its device's SSH connection.",
            "port_mapper": "For an Erlang node.",
            "tls_authority": "For an Erlang node that speaks TLS only: the certificate, in PEM form, that signed its own.",
            "tls_certificate": "What the portal shows to such a node, in PEM form.",
            "root": "The folder of the running system on that machine: paths in patches start there.",
            "application": "The OTP application whose version is the system's; for an Erlang node.",
            "restart_command": "A shell command that is run on its device, such as: systemctl restart bay",
        }
        widgets = {
            "tls_authority": UnfoldAdminTextareaWidget(attrs={"rows": 4, "spellcheck": "false"}),
            "tls_certificate": UnfoldAdminTextareaWidget(attrs={"rows": 4, "spellcheck": "false"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as Django has it
        super().__init__(*args, **kwargs)
        for stored, field in self.shown_as.items():
            if getattr(self.instance, stored) and field in self.fields:
                self.fields[field].help_text = KEEP

    def clean_new_secret(self) -> str:
        secret: str = self.cleaned_data["new_secret"]
        if not secret and not self.instance.secret:
            raise forms.ValidationError("A node needs a secret.")
        return secret

    def _post_clean(self) -> None:
        """What is refused in saving is refused here before, at its field."""
        for stored, field in self.shown_as.items():
            if given := self.cleaned_data.get(field):
                setattr(self.instance, stored, given.replace("\r\n", "\n"))
        super()._post_clean()  # type: ignore[misc]
        if self.errors:
            return
        try:
            require_sense(self.instance)
        except forms.ValidationError as error:
            for name, sentences in error.message_dict.items():
                field = self.shown_as.get(name, name)
                self.add_error(field if field in self.fields else None, sentences)
