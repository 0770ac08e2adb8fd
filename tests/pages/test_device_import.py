"""Devices from a file: every row is looked at first, and it is all or nothing."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from devices.attribute_words import attributes_as_text, attributes_in
from devices.models import Credential, Device, StoredImport
from devices.services.csv_table import MOST_ROWS
from devices.services.device_files import devices_csv, read_devices
from devices.services.imports import Preview, Verdict, import_devices, preview_import
from portal.core.actors import PORTAL, actor_of
from portal.core.errors import Refused
from portal.core.exports import read_cell, safe_cell
from portal.core.models import AuditEvent
from tests.journal.rows import new_device
from tests.pages.rows import rows

pytestmark = pytest.mark.database

HEAD = "name,device_type,driver,host,port,credential,root,attributes"
UPLOAD = "/devices/device/import/"


@pytest.fixture
def key(db: None) -> Credential:
    return Credential.objects.create(name="key", kind="password", username="root", secret="s3cret")


def preview(*lines: str, head: str = HEAD) -> Preview:
    return preview_import(content="\n".join([head, *lines]).encode(), actor=PORTAL)


def test_each_row_says_what_it_would_do(key: Credential) -> None:
    new_device("box-1", root="/a")
    new_device("box-2", root="/a", attributes={"site": "Leipzig", "floor": 1})
    seen = preview(
        "box-1,box,local,,,,/a,",
        "box-2,crate,local,,,,/a,site=Bonn; floor=1",
        "box-3,box,ssh,192.0.2.3,2222,key,,site=Bonn",
    )
    assert [row.verdict for row in seen.rows] == [
        Verdict.UNCHANGED, Verdict.CHANGED, Verdict.NEW,
    ]  # fmt: skip
    assert seen.rows[1].changes == {
        "device_type": ["box", "crate"],
        "attributes.site": ["Leipzig", "Bonn"],
    }
    assert seen.rows[2].changes["credential"] == [None, "key"]
    assert seen.rows[2].changes["port"] == [None, 2222]
    assert Device.objects.count() == 2


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("bad name,box,local,,,,/a,", "name: Letters, digits, dots"),
        (",box,local,,,,/a,", "name: This field cannot be blank."),
        ("box-1,,local,,,,/a,", "device_type: This field cannot be blank."),
        ("box-1,box,smoke,,,,/a,", "driver: Value 'smoke' is not a valid choice."),
        ("box-1,box,ssh,192.0.2.1,,,,", "A device reached by SSH needs a host and a credential."),
        ("box-1,box,ssh,192.0.2.1,,nokey,,", "credential: there is none with the name 'nokey'."),
        ("box-1,box,local,,70000,,/a,", "port: '70000' is no port."),
        ("box-1,box,local,,-1,,/a,", "port: '-1' is no port."),
        ("box-1,box,local,,²,,/a,", "port: '²' is no port."),
        ("box-1,box,local,,,,etc,", "root: An absolute path on the device."),
        ("box-1,box,local,,,,/a,red", "attributes: Attributes are written as"),
        (f"box-1,box,local,{'h' * 300},,,/a,", "host: Ensure this value has at most 255"),
    ],
)
def test_a_wrong_row_says_why(line: str, says: str, db: None) -> None:
    (row,) = preview(line).rows
    assert row.verdict is Verdict.WRONG
    assert says in " ".join(row.problems)
    assert row.line == 2


def test_a_name_that_comes_twice_is_wrong_the_second_time(db: None) -> None:
    first, second = preview("box-1,box,local,,,,/a,", "box-1,crate,local,,,,/a,").rows
    assert (first.verdict, second.verdict) == (Verdict.NEW, Verdict.WRONG)
    assert "box-1 is in line 2 already." in second.problems


def test_one_wrong_row_is_enough_to_import_nothing(db: None) -> None:
    new_device("box-1", root="/a")
    content = f"{HEAD}\nbox-1,crate,local,,,,/a,\nbox-2,box,local,,,,/a,\nbad name,box,local,,,,/a,"
    before = rows()
    with pytest.raises(Refused, match=r"1 rows are wrong \(line 4\): nothing was imported"):
        import_devices(content=content.encode(), actor=PORTAL, reason="New site")
    assert rows() == before


def test_a_good_file_is_carried_out_and_each_device_is_on_record(db: None) -> None:
    box = new_device("box-1", root="/a", host_key="pinned", attributes={"floor": 1})
    content = f"{HEAD}\nbox-1,crate,local,,,,/a,site=Bonn\nbox-2,box,local,,,,/b,"
    import_devices(content=content.encode(), actor=PORTAL, reason="New site")
    box.refresh_from_db()
    assert (box.device_type, box.host_key) == ("crate", "pinned")
    assert box.attributes == {"floor": 1, "site": "Bonn"}
    assert box.provides == {"artifact_name": "old"}
    assert Device.objects.get(name="box-2").root == "/b"
    entries = AuditEvent.objects.order_by("action").values_list("action", "subject", "reason")
    assert list(entries) == [
        ("device.add", "box-2", "New site"), ("device.change", "box-1", "New site"),
    ]  # fmt: skip
    entry = AuditEvent.objects.get(action="device.change")
    assert entry.subject_id == str(box.pk)
    assert entry.data["changes"]["device_type"] == ["box", "crate"]


def test_columns_that_the_file_lacks_stay_as_they_are(key: Credential) -> None:
    new_device("box-1", driver="ssh", host="192.0.2.1", port=2222, credential=key)
    (row,) = preview("box-1,crate", head="Name,Device Type").rows
    assert row.changes == {"device_type": ["box", "crate"]}


def test_an_export_is_an_import_that_changes_nothing(key: Credential) -> None:
    odd = {"note": '=1+1; "a" \\ b', "ort": "Köln", "floor": 3, "empty": "", "lines": "a\nb"}
    new_device("box-1", attributes=odd)
    new_device("box-2", driver="ssh", host="fe80::1", port=2222, credential=key, root="/x y")
    content = "".join(devices_csv(Device.objects.order_by("name"))).encode()
    assert b"s3cret" not in content
    seen = preview_import(content=content, actor=PORTAL)
    assert seen.counts == {"new": 0, "changed": 0, "unchanged": 2, "wrong": 0}
    Device.objects.all().delete()
    import_devices(content=content, actor=PORTAL, reason="Back again")
    assert "".join(devices_csv(Device.objects.order_by("name"))).count("Köln") == 1
    copied = Device.objects.get(name="box-1").attributes
    assert copied == {key: str(value) for key, value in odd.items()}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_files_from_any_spreadsheet_are_read(encoding: str, delimiter: str, end: str) -> None:
    lines = [["name", "root", "attributes"], ["box-1", '"/a,b;c"', "ort=Köln"], ["", "", ""]]
    content = end.join(delimiter.join(line) for line in lines).encode(encoding)
    file = read_devices(content)
    assert [dict(line.cells) for line in file.lines] == [
        {"name": "box-1", "root": "/a,b;c", "attributes": "ort=Köln"}
    ]
    assert any("Windows-1252" in note for note in file.notes) == (encoding == "cp1252")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "one of them is name"),
        (b"host\nbox-1", "one of them is name"),
        (b"name,secret\nbox-1,x", "There is no column 'secret'."),
        (b"name,host_key\nbox-1,x", "There is no column 'host_key'."),
        (b"name,name\nbox-1,x", "The column name is there twice."),
        (b"name,root\nbox-1", "Line 2 has 1 cells, and the first line has 2."),
        (b'name,root\nbox-1,"/a\n', "is no CSV"),
        (b"name\n" + b"x" * 200_000, "is no CSV"),
        (b"\xff\xfen\x00a", "is not"),
        (b"name\n\x81\x8d", "The file is no text"),
        (b"name\n" + b"box\n" * (MOST_ROWS + 1), "more than 20,000 rows"),
        (b"x" * (10 * 2**20 + 1), "larger than 10 MiB"),
    ],
)
def test_a_file_that_is_none_is_refused_with_a_sentence(content: bytes, says: str) -> None:
    with pytest.raises(Refused) as refused:
        read_devices(content)
    assert says in str(refused.value)


@given(st.binary(max_size=300))
def test_no_file_at_all_brings_the_reader_down(content: bytes) -> None:
    try:
        read_devices(b"name,root\n" + content)
    except Refused:
        return


@settings(max_examples=200)
@given(
    st.dictionaries(
        st.text(st.characters(categories=["L", "N"]), min_size=1),
        st.text(st.characters(exclude_categories=["C"])).map(str.strip),
    )
)
def test_written_attributes_are_read_back(attributes: dict[str, str]) -> None:
    assert attributes_in(attributes_as_text(attributes)) == attributes


@given(st.text())
def test_a_safe_cell_is_read_back_and_is_no_formula(text: str) -> None:
    cell = safe_cell(text)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    if not text.startswith("'"):
        assert read_cell(cell) == text


def test_a_big_file_needs_few_queries(
    db: None, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    lines = "\n".join(f"box-{number},box,local,,,,/a," for number in range(600))
    with django_assert_max_num_queries(30):
        import_devices(content=f"{HEAD}\n{lines}".encode(), actor=PORTAL, reason="New site")
    assert Device.objects.count() == 600


def test_rows_that_somebody_may_not_do_are_wrong(db: None, key: Credential) -> None:
    new_device("box-1", root="/a")
    carol = User.objects.create_user("carol", is_staff=True)
    carol.user_permissions.set(
        Permission.objects.filter(codename__in=["add_device", "view_device"])
    )
    content = f"{HEAD}\nbox-1,crate,local,,,,/a,\nbox-2,box,local,,,,/a,\nbox-3,box,ssh,h,,key,,"
    seen = preview_import(content=content.encode(), actor=actor_of(carol))
    assert [row.verdict for row in seen.rows] == [Verdict.WRONG, Verdict.WRONG, Verdict.NEW]
    assert "You lack the permission devices.change_device." in seen.rows[0].problems
    assert any("devices.use_local_driver" in problem for problem in seen.rows[1].problems)


def upload(browser: Client, content: str) -> str:
    """The address of the preview."""
    answer = browser.post(UPLOAD, {"file": ContentFile(content.encode(), "fleet.csv")})
    assert answer.status_code == 302
    return answer.headers["Location"]


def test_from_the_file_over_the_preview_to_the_fleet(operator: Client, db: None) -> None:
    page = upload(operator, f"{HEAD}\nbox-1,box,local,,,,/a,site=Bonn")
    before = rows()
    shown = operator.get(page).content.decode()
    assert rows() == before
    assert 'data-row="box-1"' in shown
    order = {"reason": "New site", "expected": "new:1 changed:0 unchanged:0 wrong:0"}
    assert operator.post(page, order | {"reason": ""}).status_code == 422
    answer = operator.post(page, order, follow=True).content.decode()
    assert "1 devices are new, 0 changed, 0 are as they were." in answer
    assert Device.objects.get().attributes == {"site": "Bonn"}


def test_a_fleet_that_changed_after_the_preview_is_looked_at_again(
    operator: Client, db: None
) -> None:
    page = upload(operator, f"{HEAD}\nbox-1,box,local,,,,/a,")
    new_device("box-1", device_type="crate", root="/a")
    order = {"reason": "New site", "expected": "new:1 changed:0 unchanged:0 wrong:0"}
    answer = operator.post(page, order)
    assert answer.status_code == 422
    assert "The fleet changed since you looked" in answer.content.decode()
    assert Device.objects.get().device_type == "crate"


def test_wrong_rows_are_shown_first_and_nothing_can_be_confirmed(
    operator: Client, db: None
) -> None:
    page = upload(operator, f"{HEAD}\nbox-1,box,local,,,,/a,\nbad name,box,local,,,,/a,")
    shown = operator.get(page).content.decode()
    assert "Mend what is wrong" in shown
    assert 'data-row="bad name"' in shown
    assert 'data-row="box-1"' not in shown
    assert 'data-row="box-1"' in operator.get(f"{page}?show=new").content.decode()


def test_a_file_nobody_can_read_is_refused_on_its_page(operator: Client) -> None:
    answer = operator.post(UPLOAD, {"file": ContentFile(b"host\nx", "fleet.csv")})
    assert answer.status_code == 422
    assert "one of them is name" in answer.content.decode()
    assert not StoredImport.objects.exists()


def test_somebody_elses_file_is_not_there(operator: Client, db: None) -> None:
    page = upload(operator, f"{HEAD}\nbox-1,box,local,,,,/a,")
    eve = User.objects.create_user("eve", is_staff=True)
    eve.user_permissions.set(Permission.objects.all())
    browser = Client()
    browser.force_login(eve)
    assert browser.get(page).status_code == 404
    assert browser.post(page, {"reason": "Mine"}).status_code == 404


def test_whoever_may_only_look_imports_nothing(viewer: Client) -> None:
    assert viewer.get(UPLOAD).status_code == 403
    assert (
        "You lack the permission devices.add_device."
        in viewer.get(reverse("admin:devices_device_changelist")).content.decode()
    )
