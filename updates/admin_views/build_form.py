"""The forms that artifacts are put together with: one for each well-known kind of payload, and one for any other."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Final, cast

from django import forms
from django.core.files.uploadedfile import UploadedFile
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from portal.core.actors import Actor
from updates.errors import ArtifactRefused
from updates.formats.mender_artifact import (
    ArtifactSpec,
    Packing,
    PayloadSource,
    Software,
    StateScript,
    file_from,
    with_software_version,
)
from updates.formats.payloads import directory_files, single_file_files
from updates.models import SigningKey
from updates.services.building import unpacked_tree

SCRIPT_BYTES: Final = 2**20
WORD: Final = re.compile(r'"([^"]+)"|([^\s,]+)')
PACKINGS: Final = (
    (Packing.GZIP, "gzip (every client)"),
    (Packing.LZMA, "xz (every client; smaller, slower)"),
    (Packing.ZSTD_BETTER, "zstd (clients from 4.0 on)"),
    (Packing.NONE, "none (what is packed already)"),
)

if TYPE_CHECKING:
    Upload = UploadedFile[bytes]


class FilesInput(UnfoldAdminFileFieldWidget):  # type: ignore[misc] # unfold carries no types
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """Any number of files; a list of them."""

    widget = FilesInput

    def clean(self, data: Any, initial: Any = None) -> Any:  # noqa: ANN401 - as Django has it
        given = data if isinstance(data, list | tuple) else [data] if data else []
        if not given:
            super().clean(None, initial)
        return [super(FilesField, self).clean(each, initial) for each in given]


class PairsField(forms.CharField):
    """`key: value` on each line; a list of both."""

    widget = UnfoldAdminTextareaWidget

    def clean(self, value: Any) -> Any:  # noqa: ANN401
        lines = [line.strip() for line in super().clean(value).splitlines()]
        pairs = [line.partition(":") for line in lines if line]
        if any(not (key.strip() and colon) for key, colon, _ in pairs):
            raise forms.ValidationError("Each line is a key, a colon and a value.")
        return [(key.strip(), text.strip()) for key, _, text in pairs]


class WordsField(forms.CharField):
    """Words, with blanks or commas between them, in double quotes if there are any in them; a tuple."""

    def clean(self, value: Any) -> Any:  # noqa: ANN401
        return tuple(word[1] or word[2] for word in WORD.finditer(super().clean(value)))


def _line(**more: object) -> dict[str, Any]:
    return {"widget": UnfoldAdminTextInputWidget(), **more}


def _lines(**more: object) -> dict[str, Any]:
    return {"widget": UnfoldAdminTextareaWidget(attrs={"rows": 2}), "required": False, **more}


class BuildForm(forms.Form):
    """What every artifact has. Whether it can be so is the format's business, which says it in one sentence."""

    payload_type: ClassVar[str] = ""
    main: ClassVar[Sequence[str]] = ()
    """The fields of this kind, in front of the others."""

    name = forms.CharField(max_length=256, help_text="Such as kiosk-app-1.1.", **_line())
    device_types = WordsField(
        label="Device types", max_length=4000, help_text='Such as box "Raspberry Pi 4".', **_line()
    )
    notes = forms.CharField(max_length=2000, help_text="For whoever deploys it.", **_lines())
    scripts = FilesField(
        label="State scripts", required=False, help_text="Such as ArtifactInstall_Enter_00_stop."
    )
    depends_names = WordsField(
        label="Installs only on top of", required=False, help_text="Artifact names.", **_line()
    )
    depends_groups = WordsField(label="Only where the artifact group is", required=False, **_line())
    depends = PairsField(
        label="Depends",
        help_text="Key: value on each line. A key given twice takes either value.",
        **_lines(),
    )
    group = forms.CharField(label="Artifact group", required=False, max_length=256, **_line())
    provides = PairsField(label="Provides", help_text="Key: value on each line.", **_lines())
    clears_provides = WordsField(
        label="Clears provides", required=False, help_text="Globs of what goes first.", **_line()
    )
    software_version = forms.BooleanField(
        label="Provide its version, and clear that of an older one",
        required=False,
        initial=True,
        help_text="As mender-artifact does: rootfs-image.TYPE.version is the artifact's name.",
        widget=UnfoldBooleanWidget(),
    )
    meta_data = forms.CharField(
        label="Meta-data", help_text="A JSON object that the Update Module reads.", **_lines()
    )
    packing = forms.ChoiceField(
        label="Compression", choices=PACKINGS, widget=UnfoldAdminSelectWidget()
    )

    key = forms.ModelChoiceField(
        label="Signed by",
        queryset=SigningKey.objects.all(),
        required=False,
        empty_label="nobody",
        widget=UnfoldAdminSelectWidget(),
    )

    def allow_signing(self, actor: Actor) -> None:
        """The choice of a key is there for those who may use one, where there is one."""
        if not (actor.may("updates.use_signingkey") and SigningKey.objects.exists()):
            del self.fields["key"]

    def main_fields(self) -> list[forms.BoundField]:
        names = ("name", "device_types", *self.main, "key", "notes")
        return [self[name] for name in names if name in self.fields]

    def more_fields(self) -> list[forms.BoundField]:
        shown = {field.name for field in self.main_fields()}
        return [field for field in self if field.name not in shown]

    def files_asked(self) -> list[str]:
        """The fields that take files: a preview does without."""
        return [name for name, field in self.fields.items() if isinstance(field, forms.FileField)]

    def preview_params(self) -> str:
        """What htmx sends to have the preview: all but the files."""
        return f"not {','.join(self.files_asked())}"

    def has_more_errors(self) -> bool:
        return any(field.errors for field in self.more_fields())

    def spec(self, files: tuple[PayloadSource, ...]) -> ArtifactSpec:
        """What the form asks for, with these files. ArtifactRefused for a script that is none."""
        given = self.cleaned_data
        depends: dict[str, tuple[str, ...]] = {}
        for key, value in given["depends"]:
            depends[key] = (*depends.get(key, ()), value)
        spec = ArtifactSpec(
            name=given["name"],
            device_types=given["device_types"],
            payload_type=self.type_given(),
            files=files,
            group=given["group"],
            depends_names=given["depends_names"],
            depends_groups=given["depends_groups"],
            depends=depends,
            provides=dict(given["provides"]),
            clears_provides=given["clears_provides"] or None,
            meta_data=given["meta_data"],
            scripts=tuple(_script(file) for file in given["scripts"]),
            packing=Packing(given["packing"]),
        )
        if not given["software_version"]:
            return replace(spec, clears_provides=given["clears_provides"])
        return with_software_version(spec, Software(self.type_given()))

    def type_given(self) -> str:
        return self.payload_type

    @contextmanager
    def payload(self) -> Iterator[tuple[PayloadSource, ...]]:
        """The payload's files, as long as the block lasts."""
        yield tuple(file_from(_opened(file), name=file.name or "") for file in self._files())

    def stand_ins(self) -> tuple[PayloadSource, ...]:
        """Files of no content, to show what the payload will consist of before any of it is sent."""
        return ()

    def _files(self) -> list[Upload]:
        return cast("list[Upload]", self.cleaned_data["contents"])


class SingleFileForm(BuildForm):
    payload_type = "single-file"
    main = ("file", "folder", "file_name", "permissions")

    file = forms.FileField(label="File", widget=UnfoldAdminFileFieldWidget())
    folder = forms.CharField(
        label="Folder on the device", initial="/opt", max_length=4096, **_line()
    )
    file_name = forms.CharField(
        label="Name on the device",
        required=False,
        max_length=255,
        help_text="If it is to be another one.",
        **_line(),
    )
    permissions = forms.CharField(initial="644", max_length=4, **_line())

    @contextmanager
    def payload(self) -> Iterator[tuple[PayloadSource, ...]]:
        file = cast("Upload", self.cleaned_data["file"])
        name = self.cleaned_data["file_name"] or file.name or ""
        yield self._made_of(file_from(_opened(file), name=name))

    def stand_ins(self) -> tuple[PayloadSource, ...]:
        return self._made_of(stand_in(self.cleaned_data["file_name"] or "your-file"))

    def _made_of(self, file: PayloadSource) -> tuple[PayloadSource, ...]:
        given = self.cleaned_data
        return single_file_files(
            file.open, name=file.name, folder=given["folder"], permissions=given["permissions"]
        )


class DirectoryForm(BuildForm):
    payload_type = "directory"
    main = ("archive", "folder")

    archive = forms.FileField(
        label="Zip or tar",
        widget=UnfoldAdminFileFieldWidget(),
        help_text="Files and folders, no links. They take the place of what is in the folder.",
    )
    folder = forms.CharField(
        label="Folder on the device", initial="/opt/app", max_length=4096, **_line()
    )

    @contextmanager
    def payload(self) -> Iterator[tuple[PayloadSource, ...]]:
        with unpacked_tree(self.cleaned_data["archive"]) as open_tree:
            yield directory_files(open_tree, folder=self.cleaned_data["folder"])

    def stand_ins(self) -> tuple[PayloadSource, ...]:
        return directory_files(stand_in("tree").open, folder=self.cleaned_data["folder"])


class ScriptForm(BuildForm):
    payload_type = "script"
    main = ("contents",)

    contents = FilesField(label="Scripts", help_text="They run on the device, in order of name.")


class PackagesForm(BuildForm):
    payload_type = "deb"
    main = ("contents",)

    contents = FilesField(label="Debian packages")


class AnyForm(BuildForm):
    main = ("own_type", "contents")

    own_type = forms.CharField(
        label="Payload type",
        max_length=100,
        help_text="The name of the Update Module that installs it, such as web-file.",
        widget=UnfoldAdminTextInputWidget(attrs={"list": "payload-types"}),
    )
    contents = FilesField(label="Files", required=False)

    def type_given(self) -> str:
        return str(self.cleaned_data["own_type"])

    def stand_ins(self) -> tuple[PayloadSource, ...]:
        return (stand_in("your-image"),) if self.type_given() == "rootfs-image" else ()


FORMS: Final[dict[str, tuple[str, type[BuildForm]]]] = {
    "single-file": ("A file", SingleFileForm),
    "directory": ("A directory", DirectoryForm),
    "script": ("Scripts", ScriptForm),
    "deb": ("Debian packages", PackagesForm),
    "any": ("Any Update Module", AnyForm),
}


def stand_in(name: str) -> PayloadSource:
    """An empty file."""
    return file_from(io.BytesIO(), name=name)


def _opened(file: Upload) -> BinaryIO:
    return cast(BinaryIO, file)


def _script(file: Upload) -> StateScript:
    if (file.size or 0) > SCRIPT_BYTES:
        raise ArtifactRefused("script-size", f"A state script has at most {SCRIPT_BYTES} bytes.")
    file.seek(0)
    return StateScript(file.name or "", file.read())
