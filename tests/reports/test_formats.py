"""The formats of `netbuild validate`, for people and for other programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft4Validator, FormatChecker
from lxml import etree

from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.diagnostics.codes import CODES
from netbuild.diagnostics.diagnostic import Diagnostic, Document, Edit, Fix, Note, Span
from netbuild.diagnostics.escapes import one_line, visible
from netbuild.reports import faults
from netbuild.reports.faults import github_format, junit_format
from netbuild.reports.faults.report import CheckedFile, Report
from netbuild.syntax.parser import from_bytes
from tests import ROOT

if TYPE_CHECKING:
    from tests.conftest import Netbuild

FILES = sorted((ROOT / "tests/faults").glob("*.yaml"))
SCHEMAS = ROOT / "tests/reports/schemas"
SARIF = Draft4Validator(
    json.loads((SCHEMAS / "sarif-2.1.0-rtm.5.json").read_bytes()), format_checker=FormatChecker()
)
JUNIT = etree.XMLSchema(file=str(SCHEMAS / "junit-10.xsd"))
BAD = "input: [4]\nlayers:\n  - Linaer: 2\n  - Dropout: {inplace: no}\n"
TEXTS = st.text(max_size=30) | st.text("%\r\n:,<>&\x00\x1b\ud800\ufffe]a", max_size=12)


def checked(name: str, data: bytes) -> CheckedFile:
    """Return what there is to say of a text."""
    return CheckedFile(name, infer(read(from_bytes(name, data))).diagnostics)


@cache
def every_fault() -> tuple[CheckedFile, ...]:
    """Return what there is to say of each file of the folder."""
    return tuple(checked(path.name, path.read_bytes()) for path in FILES)


def sarif(report: Report) -> dict[str, Any]:
    """Return the run of a report in SARIF, which keeps to the schema."""
    said: dict[str, Any] = json.loads(str(faults.render("sarif", report)))
    assert not [error.message for error in SARIF.iter_errors(said)]
    assert said["version"] == "2.1.0"
    return said["runs"][0]


def junit(report: Report) -> ET.Element:
    """Return the root of a report in JUnit's XML, which keeps to the schema."""
    text = str(faults.render("junit", report))
    JUNIT.assertValid(etree.fromstring(text.encode()))
    return ET.fromstring(text)  # noqa: S314  our own text


def fault(text: str, *, code: str = "NB204") -> Report:
    """Return a report of one fault that has a text wherever it can."""
    span = Span(Document(text, "a: 1\n"), 1, 1, 1, 2)
    fix = Fix(text, (Edit(span, text),))
    found = Diagnostic(code, text, span, text, (Note(text, text),), text, text, (fix,))
    return Report((CheckedFile(text, (found,)),))


def test_every_format_is_a_module() -> None:
    """A format is a module with its name, and there is no module beside them."""
    folder = Path(faults.__file__).parent
    modules = {path.stem.removesuffix("_format") for path in folder.glob("*_format.py")}
    assert modules == {*get_args(faults.Format)}


@pytest.mark.parametrize("name", get_args(faults.Format))
def test_a_format_loads_nothing_of_another(name: str) -> None:
    """What a format needs is loaded when it is asked for, and XML and hashes not without."""
    code = (
        "import sys; from netbuild.cli import app\n"
        "try: app()\nexcept SystemExit: print(*sys.modules, file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, "validate", "configs/lenet.yaml", "--format", name]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = {*done.stderr.split()}
    own = {f"netbuild.reports.faults.{name}_format", "netbuild.reports.faults.report"}
    if name == "junit":
        own.add("netbuild.reports.faults.concise_format")
    if name in {"sarif", "gitlab"}:
        own.add("netbuild.reports.faults.fingerprint")
    assert {m for m in loaded if m.startswith("netbuild.reports.faults.")} == own
    assert ("xml.etree.ElementTree" in loaded) == (name == "junit")


def test_github(netbuild: Netbuild) -> None:
    """A fault is a command with its place; a line break and a percent sign are escaped."""
    text = BAD + "  - ReLU: {100%: 1}\n"
    done = netbuild("validate", "-", "--format", "github", text=text)
    assert done.returncode == 1
    assert done.stdout == (
        "::error file=<stdin>,line=3,endLine=3,col=5,endColumn=11,title=netbuild NB103"
        "::no layer is called Linaer: unknown type%0Ahelp: did you mean Linear?\n"
        "::error file=<stdin>,line=4,endLine=4,col=24,endColumn=26,title=netbuild NB106"
        "::a value that Dropout.inplace does not take: inplace wants true or false, "
        "not the text 'no'%0Ahelp: no is a text in YAML 1.2: write false\n"
        "::error file=<stdin>,line=5,endLine=5,col=12,endColumn=16,title=netbuild NB104"
        "::ReLU has no field 100%25: unknown field%0Ahelp: the fields are inplace\n"
    )


def test_github_of_several_lines() -> None:
    """A range of several lines has no columns, and a path is one of the repository."""
    span = Span(Document("configs/../base.yaml", "a:\n  b\n"), 1, 1, 2, 4)
    report = Report((CheckedFile("net.yaml", (Diagnostic("NB301", "alike", span),)),))
    assert faults.render("github", report) == (
        "::warning file=base.yaml,line=1,endLine=2,title=netbuild NB301::alike"
    )


@given(TEXTS)
def test_github_escapes(text: str) -> None:
    """Any text stays within its command, and is read back with its control characters escaped."""
    (line,) = str(faults.render("github", fault(text))).split("\n")
    assert "\r" not in line
    properties, _, message = line.removeprefix("::error ").partition("::")
    values = dict(part.split("=", 1) for part in properties.split(","))
    path = os.path.normpath(text)
    assert unescaped(values["file"], data=False) == one_line(path)
    assert values["title"] == "netbuild NB204"
    text = visible(text)
    said = f"{text}: {text}" if text else ""
    more = f"\n{text}: {text}" + (f"\nhelp: {text}" if text else "")
    assert unescaped(message, data=True) == said + more


def unescaped(text: str, *, data: bool) -> str:
    """Return what the runner of GitHub Actions reads."""
    if not data:
        text = text.replace("%3A", ":").replace("%2C", ",")
    return text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


def test_sarif_of_every_fault() -> None:
    """What the files of the folder give is valid SARIF, and all of it is in there."""
    report = Report(every_fault())
    results = sarif(report)["results"]
    assert [result["ruleId"] for result in results] == [d.code for d in report.diagnostics]
    places = [result["locations"][0]["physicalLocation"]["artifactLocation"] for result in results]
    assert {place["uri"] for place in places} == {f.name for f in every_fault() if f.diagnostics}
    prints = [
        (place["uri"], result["partialFingerprints"]["fault/v1"])
        for place, result in zip(places, results, strict=True)
    ]
    assert len(set(prints)) == len(prints)


def test_sarif() -> None:
    """A result names its rule, its place and its fix; every code is a rule."""
    run = sarif(Report((checked("a net.yaml", BAD.encode()), CheckedFile("gone.yaml", None))))
    assert run["columnKind"] == "utf16CodeUnits"
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(CODES)
    first, _ = run["results"]
    artifact = {"uri": "a%20net.yaml"}
    region = {"startLine": 3, "startColumn": 5, "endLine": 3, "endColumn": 11}
    change = {"deletedRegion": region, "insertedContent": {"text": "Linear"}}
    assert first == {
        "ruleId": "NB103",
        "ruleIndex": list(CODES).index("NB103"),
        "level": "error",
        "message": {"text": "no layer is called Linaer: unknown type\nhelp: did you mean Linear?"},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": artifact, "region": region},
                "logicalLocations": [{"fullyQualifiedName": "0"}],
            }
        ],
        "partialFingerprints": first["partialFingerprints"],
        "fixes": [
            {
                "description": {"text": "replace Linaer with Linear"},
                "artifactChanges": [{"artifactLocation": artifact, "replacements": [change]}],
            }
        ],
    }
    (invocation,) = run["invocations"]
    assert not invocation["executionSuccessful"]
    (said,) = invocation["toolExecutionNotifications"]
    place = {"artifactLocation": {"uri": "gone.yaml"}}
    assert said["locations"] == [{"physicalLocation": place}]


def test_sarif_columns() -> None:
    """Columns count units of UTF-16, of which some characters have two."""
    text = "input: [4]\nlayers: {a: {Linaer: '𝄞'}, '𝄞𝄞': {Linaer: 2}}\n"
    diagnostics = checked("net.yaml", text.encode())
    columns = [
        (d.span.column, result["locations"][0]["physicalLocation"]["region"]["startColumn"])
        for d, result in zip(
            diagnostics.diagnostics or (),
            sarif(Report((diagnostics,)))["results"],
            strict=True,
        )
    ]
    lines = [(d.code, d.span.column) for d in diagnostics.diagnostics or ()]
    assert ("NB103", 14) in lines
    assert all(units - column == (column > 22) + 2 * (column > 30) for column, units in columns)
    assert any(units > column for column, units in columns)


def test_sarif_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path is relative to the current folder where it lies below, and a URI elsewhere."""
    monkeypatch.chdir(tmp_path)

    def uri(name: str) -> str:
        found = Report((checked(name, BAD.encode()),))
        place = sarif(found)["results"][0]["locations"][0]["physicalLocation"]
        return str(place["artifactLocation"]["uri"])

    assert uri(str(tmp_path / "a/b.yaml")) == "a/b.yaml"
    assert uri("a/../ü%#.yaml") == "%C3%BC%25%23.yaml"
    assert uri("/net.yaml") == "file:///net.yaml"
    assert uri("../net.yaml") == "../net.yaml"


def test_sarif_fingerprints() -> None:
    """A fault keeps its fingerprint when lines come and go above it."""
    before, after = (
        [r["partialFingerprints"] for r in sarif(Report((checked("n.yaml", text),)))["results"]]
        for text in (BAD.encode(), b"# a comment\nname: n\n" + BAD.encode())
    )
    assert before == after


@given(TEXTS)
def test_sarif_of_any_text(text: str) -> None:
    """Any text gives valid SARIF, whose braces are no placeholders."""
    (result,) = sarif(fault(text + "{0}"))["results"]
    assert "{{0}}" in result["message"]["text"]


def test_junit_of_every_fault() -> None:
    """What the files of the folder give is valid, and no error is missing."""
    given = {
        case.get("name"): [failure.get("type") for failure in case.iter("failure")]
        for case in junit(Report(every_fault())).iter("testcase")
    }
    assert given == {
        file.name: [d.code for d in file.diagnostics or () if d.severity == "error"]
        for file in every_fault()
    }


def test_junit() -> None:
    """A file is a test case: errors are failures, warnings output, and unreadable is an error."""
    twice = b"input: [4]\nlayers: [Linear: 8, Linear: 3]\n"
    files = (
        checked("a.yaml", BAD.encode()),
        checked("b.yaml", twice),
        checked("c.yaml", b"input: [4]\nlayers: [ReLU]\n"),
        CheckedFile("gone.yaml", None),
    )
    assert (
        faults.render("junit", Report(files))
        == """\
<?xml version='1.0' encoding='us-ascii'?>
<testsuites tests="4" failures="1" errors="1">
  <testsuite name="netbuild" tests="4" failures="1" errors="1">
    <testcase name="a.yaml" classname="netbuild">
      <failure type="NB103" message="no layer is called Linaer: unknown type">\
a.yaml:3:5: error[NB103] no layer is called Linaer: unknown type
help: did you mean Linear?</failure>
      <failure type="NB106" message="a value that Dropout.inplace does not take: \
inplace wants true or false, not the text 'no'">\
a.yaml:4:24: error[NB106] a value that Dropout.inplace does not take: \
inplace wants true or false, not the text 'no'
help: no is a text in YAML 1.2: write false</failure>
    </testcase>
    <testcase name="b.yaml" classname="netbuild">
      <system-out>b.yaml:2:21: warning[NB301] two Linear layers that collapse into one: \
no non-linear layer stands between Linear 0 and this layer</system-out>
    </testcase>
    <testcase name="c.yaml" classname="netbuild" />
    <testcase name="gone.yaml" classname="netbuild">
      <error type="unreadable" message="the file cannot be read" />
    </testcase>
  </testsuite>
</testsuites>"""
    )
    strict = junit(Report(tuple(one._replace(strict=True) for one in files)))
    assert [failure.get("type") for failure in strict.iter("failure")] == [
        "NB103",
        "NB106",
        "NB301",
    ]


@given(TEXTS)
def test_junit_of_any_text(text: str) -> None:
    """Any text gives valid XML: control characters are escapes, and nothing else is missing."""
    (failure,) = junit(fault(text)).iter("failure")
    kept = visible(text)
    expected = junit_format._clean(f"{kept}: {kept}" if text else "")
    assert failure.get("message") == expected


@pytest.mark.parametrize("name", ["github", "sarif", "junit", "json"])
def test_without_faults(name: faults.Format) -> None:
    """Without faults the formats of programs say so, or nothing."""
    report = Report((CheckedFile("net.yaml", ()),))
    rendered = str(faults.render(name, report))
    assert "NB" not in rendered.replace("NB00", "") or name == "sarif"
    assert (rendered == "") == (name == "github")
    if name == "sarif":
        assert sarif(report)["results"] == []


def test_a_base_is_at_fault_once(netbuild: Netbuild, tmp_path: Path) -> None:
    """A fault of a file that several others extend is one, as a failure it is one of each."""
    (tmp_path / "base.yaml").write_text(BAD, encoding="utf-8")
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text("extends: base.yaml\n", encoding="utf-8")
    done = netbuild("validate", ".", "--format", "concise", cwd=tmp_path)
    assert [line.partition(" ")[0] for line in done.stdout.splitlines()] == [
        "base.yaml:3:5:",
        "base.yaml:4:24:",
    ]
    cases = netbuild("validate", ".", "--format", "junit", cwd=tmp_path).stdout
    assert cases.count("<failure ") == 6


def test_concise_is_one_line_each() -> None:
    """A line break within a message does not begin another line."""
    report = fault("a\nb\u2028c")
    assert len(str(faults.render("concise", report)).splitlines()) == 1
    assert github_format._property("a:b,c%") == "a%3Ab%2Cc%25"


@pytest.mark.parametrize("name", get_args(faults.Format))
def test_exit_codes(name: str, netbuild: Netbuild, tmp_path: Path) -> None:
    """The exit code is the same in every format."""
    good = "input: [4]\nlayers: [ReLU]\n"
    options = ["--format", name]
    assert netbuild("validate", "-", *options, text=good).returncode == 0
    assert netbuild("validate", "-", *options, text=BAD).returncode == 1
    missing = netbuild("validate", "-", tmp_path / "no.yaml", *options, text=good)
    assert missing.returncode == 2
    assert missing.stderr.endswith("no.yaml cannot be read: No such file or directory\n")
