"""The format for CI servers that show tests: JUnit's XML, with a test case for each file.

An error in a config is a failed test case. A file that cannot be read is an error. Warnings are
output of their test case, unless `--strict` makes them errors.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from netbuild.diagnostics.escapes import visible
from netbuild.reports.faults.concise_format import lines

if TYPE_CHECKING:
    from netbuild.diagnostics.diagnostic import Diagnostic
    from netbuild.reports.faults.report import CheckedFile, Report

#: Characters that XML 1.0 forbids even when they are escaped (chapter 2.2).
_NO_CHARACTER = "[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"


def render(report: Report, _width: int) -> str:
    """Return the report as a JUnit document in ASCII, which every output encoding can write."""
    cases = [_case(checked) for checked in report.checked]
    counted = {
        "tests": str(len(cases)),
        "failures": str(sum(case.find("failure") is not None for case in cases)),
        "errors": str(sum(case.find("error") is not None for case in cases)),
    }
    root = ET.Element("testsuites", counted)
    suite = ET.SubElement(root, "testsuite", {"name": "netbuild", **counted})
    suite.extend(cases)
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="us-ascii", xml_declaration=True)
    return written.decode("ascii")


def _case(checked: CheckedFile) -> ET.Element:
    case = ET.Element("testcase", {"name": _clean(checked.name), "classname": "netbuild"})
    if checked.diagnostics is None:
        unreadable = {"type": "unreadable", "message": "the file cannot be read"}
        ET.SubElement(case, "error", unreadable)
        return case
    warnings = [d for d in checked.diagnostics if d.severity == "warning" and not checked.strict]
    for diagnostic in checked.diagnostics:
        if diagnostic not in warnings:
            said = {"type": diagnostic.code, "message": _clean(diagnostic.message)}
            ET.SubElement(case, "failure", said).text = _clean(_details(diagnostic))
    if warnings:
        ET.SubElement(case, "system-out").text = _clean(lines(warnings))
    return case


def _details(diagnostic: Diagnostic) -> str:
    more = [f"{note.label}: {note.text}" for note in diagnostic.notes]
    if diagnostic.help:
        more.append(f"help: {diagnostic.help}")
    return "\n".join([lines([diagnostic]), *more])


def _clean(text: str) -> str:
    return re.sub(_NO_CHARACTER, "", visible(text))
