"""Forms for devices, groups, credentials, engines and registries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.db.models import TextChoices
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from devices.models import Credential, Device, DeviceGroup, EngineAccess, RegistryLogin
from devices.queries import devices_matching
from devices.services import refuse_unreadable_key
from devices.services.engine_settings import checked_registry
from portal.core.errors import Refused
from portal.core.forms import ReasonForm, SecretArea

if TYPE_CHECKING:
    CredentialModelForm = forms.ModelForm[Credential]
    RegistryLoginModelForm = forms.ModelForm[RegistryLogin]
    GroupModelForm = forms.ModelForm[DeviceGroup]
else:
    CredentialModelForm = forms.ModelForm
    RegistryLoginModelForm = forms.ModelForm
    GroupModelForm = forms.ModelForm

KEEP = "Leave it empty to keep the one that is set; it is never shown."
ANY = ("", "Any")


def secret_field(label: str, help_text: str) -> forms.CharField:
    """A field for a secret, as it is given: white space may be part of it. Empty keeps the one that is set."""
    return forms.CharField(
        label=label,
        required=False,
        strip=False,
        max_length=20_000,
        help_text=help_text,
        widget=SecretArea(rows=6),
    )


class CredentialForm(CredentialModelForm):
    """A secret is taken in and never given out: an empty field keeps what is stored."""

    new_secret = secret_field("Secret", "A private key in OpenSSH or PEM form, or a password.")
    new_passphrase = forms.CharField(
        label="Passphrase of the key",
        required=False,
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )

    class Meta:
        model = Credential
        fields = ("name", "kind", "username")

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as Django has it
        super().__init__(*args, **kwargs)
        if self.instance.secret:
            self.fields["new_secret"].help_text = f"Set. {KEEP}"
        if self.instance.passphrase:
            self.fields["new_passphrase"].help_text = f"Set. {KEEP}"

    def clean_new_secret(self) -> str:
        secret: str = self.cleaned_data["new_secret"].replace("\r\n", "\n")
        if secret.strip():
            return secret
        if not self.instance.secret:
            raise forms.ValidationError("A credential needs a secret.")
        return ""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            given = Credential(
                kind=cleaned["kind"],
                username=cleaned["username"],
                secret=cleaned["new_secret"] or self.instance.secret,
                passphrase=cleaned["new_passphrase"] or self.instance.passphrase,
            )
            try:
                refuse_unreadable_key(given)
            except Refused as error:
                raise forms.ValidationError({"new_secret": str(error)}) from error
        return cleaned

    def save(self, commit: bool = True) -> Credential:  # noqa: FBT001, FBT002 - as Django has it
        if self.cleaned_data["new_secret"]:
            self.instance.secret = self.cleaned_data["new_secret"]
        if self.cleaned_data["new_passphrase"]:
            self.instance.passphrase = self.cleaned_data["new_passphrase"]
        return super().save(commit)


class RegistryLoginForm(RegistryLoginModelForm):
    """As with credentials, an empty secret keeps what is stored."""

    new_secret = secret_field("Secret", "A password, or a token of the registry.")

    class Meta:
        model = RegistryLogin
        fields = ("registry", "username")

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as Django has it
        super().__init__(*args, **kwargs)
        if self.instance.secret:
            self.fields["new_secret"].help_text = f"Set. {KEEP}"

    def clean_registry(self) -> str:
        try:
            return checked_registry(self.cleaned_data["registry"])
        except Refused as error:
            raise forms.ValidationError(str(error)) from error

    def clean_new_secret(self) -> str:
        secret: str = self.cleaned_data["new_secret"].strip("\r\n")
        if not secret and not self.instance.secret:
            raise forms.ValidationError("A login needs a secret.")
        return secret

    def save(self, commit: bool = True) -> RegistryLogin:  # noqa: FBT001, FBT002 - as Django has it
        if self.cleaned_data["new_secret"]:
            self.instance.secret = self.cleaned_data["new_secret"]
        return super().save(commit)


class EngineAccessForm(forms.Form):
    """How an engine is reached. What the chosen way does not use is not kept."""

    way = forms.ChoiceField(choices=EngineAccess.Way.choices, widget=UnfoldAdminSelectWidget())
    socket_path = forms.CharField(
        label="Socket",
        required=False,
        max_length=255,
        help_text="For a socket or SSH. Empty: /var/run/docker.sock, or the one that the login's Docker client finds.",
        widget=UnfoldAdminTextInputWidget(),
    )
    host = forms.CharField(
        required=False, max_length=255, help_text="For TCP.", widget=UnfoldAdminTextInputWidget()
    )
    port = forms.IntegerField(
        required=False, min_value=1, max_value=65535, widget=UnfoldAdminTextInputWidget()
    )
    authority = forms.CharField(
        required=False,
        max_length=20_000,
        help_text="For TCP, as PEM: the certificate of who vouches for the engine.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}),
    )
    certificate = forms.CharField(
        required=False,
        max_length=20_000,
        help_text="For TCP, as PEM: the portal's own, which the engine lets in.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}),
    )
    new_key = secret_field("Key", f"For TCP, as PEM: that of the portal's certificate. {KEEP}")


class DeviceGroupForm(GroupModelForm):
    """The words of a dynamic group's filter are fields of their own."""

    q = forms.CharField(
        label="Name, host or type contains",
        required=False,
        widget=UnfoldAdminTextInputWidget(),
    )
    device_type = forms.CharField(required=False, widget=UnfoldAdminTextInputWidget())
    driver = forms.ChoiceField(
        choices=[ANY, *Device.Driver.choices], required=False, widget=UnfoldAdminSelectWidget()
    )
    installed = forms.CharField(
        label="Installed artifact", required=False, widget=UnfoldAdminTextInputWidget()
    )
    unreachable = forms.ChoiceField(
        label="Reachable",
        choices=[ANY, ("false", "Reachable"), ("true", "Unreachable")],
        required=False,
        widget=UnfoldAdminSelectWidget(),
    )
    inconsistent = forms.ChoiceField(
        label="Broken",
        choices=[ANY, ("true", "Broken"), ("false", "Not broken")],
        required=False,
        widget=UnfoldAdminSelectWidget(),
    )
    silent_days = forms.CharField(
        label="Silent for days", required=False, widget=UnfoldAdminTextInputWidget()
    )
    attribute = forms.CharField(
        label="Attributes",
        required=False,
        help_text="All of them: site=Leipzig; floor>3; os~debian",
        widget=UnfoldAdminTextInputWidget(),
    )
    words = (
        "q", "device_type", "installed", "unreachable", "silent_days", "inconsistent", "driver",
        "attribute",
    )  # fmt: skip

    class Meta:
        model = DeviceGroup
        fields = ("name", "kind", "description", "signed_only", "members")

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as Django has it
        super().__init__(*args, **kwargs)
        for word in self.words:
            self.initial.setdefault(word, self.instance.filter.get(word, ""))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        is_dynamic = cleaned.get("kind") == DeviceGroup.Kind.DYNAMIC
        found = {word: cleaned[word] for word in self.words if cleaned.get(word)}
        if found and not is_dynamic:
            raise forms.ValidationError("A static group has members, not a filter.")
        if is_dynamic and cleaned.get("members"):
            raise forms.ValidationError("A dynamic group has a filter, not members.")
        try:
            devices_matching(found)
        except Refused as error:
            raise forms.ValidationError(str(error)) from error
        self.instance.filter = found
        return cleaned


class MembersForm(ReasonForm):
    """Names, typed or in a file, and what they mean for the group."""

    class Change(TextChoices):
        ADD = "add", "Add these"
        REMOVE = "remove", "Remove these"
        EXACTLY = "exactly", "Exactly these: whoever else is in it, is removed"

    names = forms.CharField(
        label="Names of devices",
        required=False,
        help_text="One on a line, or separated by commas or spaces.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6, "spellcheck": "false"}),
    )
    file = forms.FileField(
        label="Or a CSV file",
        required=False,
        help_text="Its column name counts; the list's own CSV is such a file.",
        widget=UnfoldAdminFileFieldWidget(),
    )
    change = forms.ChoiceField(
        label="What to do", choices=Change.choices, widget=UnfoldAdminSelectWidget()
    )
    field_order = ("names", "file", "change", "reason")
