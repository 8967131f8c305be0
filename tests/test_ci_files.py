"""The files for the CI of other projects: the pre-commit hook, the action, and the page.

The commands in these files are run here with the netbuild that is tested, without a network: what
installs it is only looked at.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pytest
import yaml
from lxml import etree

from netbuild.diagnostics.selection import from_project
from netbuild.reports.faults import Format
from tests import ROOT
from tests.quick import thinned

HOOK = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))[0]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
INSTALL, VALIDATE, UPLOAD = ACTION["runs"]["steps"]
DEFAULTS = {name: said["default"] for name, said in ACTION["inputs"].items()}
PAGE = (ROOT / "docs/ci.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^```(\w+ [\w -]+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))

GOOD = "input: [4]\nlayers: [Linear: 2]\n"
WARNED = "input: [4]\nlayers: [Linear: 4, Linear: 4]\n"
BAD = "input: [4]\nlayers: [Linaer: 2]\n"
#: Texts with the exit codes of a strict job.
CODES = {GOOD: 0, WARNED: 1, BAD: 1}


class Done(NamedTuple):
    """What a script did, and where."""

    code: int
    out: str
    err: str
    temp: Path


def run(script: str, folder: Path, shell: str = "bash -eo pipefail", **variables: str) -> Done:
    """Run a script as a CI server does, in a project's folder, `netbuild` being the one tested."""
    temp = folder.parent / "temp"
    bin_ = temp / "netbuild/bin"
    bin_.mkdir(parents=True, exist_ok=True)
    command = bin_ / "netbuild"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m netbuild "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    done = subprocess.run(
        [*shell.split(), "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{bin_}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "RUNNER_TEMP": str(temp),
            "GITHUB_OUTPUT": str(temp / "output"),
            **variables,
        },
    )
    assert "Traceback" not in done.stderr
    return Done(done.returncode, done.stdout, done.stderr, temp)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give a project with a good config, and other YAML beside it."""
    folder = tmp_path / "project"
    (folder / "configs").mkdir(parents=True)
    (folder / "configs/net.yaml").write_text(GOOD, encoding="utf-8")
    (folder / "other.yaml").write_text("repos: []\n", encoding="utf-8")
    return folder


def add(folder: Path, text: str, name: str = "configs/other net.yaml") -> None:
    """Write a config of a project."""
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


# --------------------------------------------------------------------------------- pre-commit


def hook(folder: Path, block: str) -> Done:
    """Run the hook on all files of a project, as a block of the page says."""
    wanted = yaml.safe_load(BLOCKS[block])["repos"][0]["hooks"][0]
    said = {"pass_filenames": True, "args": [], **HOOK, **wanted}
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.yaml"))
    given = [name for name in names if re.search(said["files"], name)]
    words = [*shlex.split(said["entry"]), *said["args"], *(given if said["pass_filenames"] else [])]
    return run(shlex.join(words), folder)


def test_the_hook_is_one() -> None:
    """It is what pre-commit installs as a Python package, and is for YAML alone."""
    assert HOOK.keys() == {
        *("id", "name", "description", "entry", "language", "types_or", "require_serial"),
        "minimum_pre_commit_version",
    }
    assert (HOOK["id"], HOOK["language"], HOOK["types_or"]) == (
        "netbuild-validate",
        "python",
        ["yaml"],
    )


@pytest.mark.parametrize("block", [name for name in BLOCKS if "pre-commit" in name])
def test_the_hook(block: str, project: Path) -> None:
    """It passes good configs, leaves other YAML alone, and fails with the fault of a bad one."""
    assert yaml.safe_load(BLOCKS[block])["repos"][0]["hooks"][0]["id"] == HOOK["id"]
    done = hook(project, block)
    assert (done.code, done.out) == (0, "1 file checked: no faults\n")
    add(project, BAD)
    done = hook(project, block)
    assert done.code == 1
    assert "configs/other net.yaml:2:10" in done.out


# --------------------------------------------------------------------------------- the action


def action(folder: Path, **inputs: str) -> Done:
    """Run the step of the action that checks, with these inputs."""
    assert inputs.keys() <= DEFAULTS.keys()
    given = DEFAULTS | inputs
    variables = {
        name: re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda match: given[match[1]], value)
        for name, value in VALIDATE["env"].items()
    }
    return run(VALIDATE["run"], folder, **variables)


def test_the_action_is_one(project: Path) -> None:
    """Every input has a default and is used, and none is pasted into a script."""
    assert ACTION.keys() == {"name", "description", "inputs", "runs"}
    assert all(said.keys() == {"description", "default"} for said in ACTION["inputs"].values())
    assert ACTION["runs"]["using"] == "composite"
    steps = ACTION["runs"]["steps"]
    used = re.findall(r"inputs\.(\w+)", json.dumps([step.get("env") for step in steps]))
    assert sorted(used) == sorted(DEFAULTS)
    for step in (INSTALL, VALIDATE):
        assert step["shell"] == "bash"
        assert "${{" not in step["run"]
        assert run(step["run"], project, "bash -n").code == 0
    assert DEFAULTS["format"] in get_args(Format)


def test_the_page_lists_the_inputs() -> None:
    """The table of inputs has those that there are, with their defaults."""
    rows = re.findall(r"^\| `(\w+)` \| (?:`(\w+)`)? *\|", PAGE, re.MULTILINE)
    assert dict(rows) == DEFAULTS


def test_the_action(project: Path) -> None:
    """It passes a good folder; of a bad file it tells GitHub the line, and fails."""
    assert action(project).code == 0
    add(project, BAD)
    done = action(project)
    assert done.code == 1
    assert done.out.startswith("::error file=configs/other net.yaml,line=2,")


@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        ({}, 0),
        ({"strict": "true"}, 1),
        ({"strict": "false"}, 0),
        ({"strict": "true", "ignore": "NB301"}, 0),
        ({"strict": "true", "select": "NB302, NB2"}, 0),
        ({"strict": "yes"}, 2),
        ({"select": "NB999"}, 2),
        ({"select": "NB3; exit 0"}, 2),
        ({"format": "xml"}, 2),
        ({"paths": "configs\n  more  "}, 0),
        ({"paths": "configs missing"}, 2),
        ({"paths": "--fix"}, 2),
        ({"paths": "*"}, 2),
        ({"paths": ""}, 2),
    ],
)
def test_inputs(inputs: dict[str, str], code: int, project: Path) -> None:
    """Inputs become options, whole and as they are; what is none of them ends with 2."""
    add(project, WARNED)
    add(project, GOOD, "more/net.yaml")
    assert action(project, **inputs).code == code


def test_a_project_says_what_inputs_do_not(project: Path) -> None:
    """What is left empty stands in `pyproject.toml`, whose block on the page is understood."""
    add(project, WARNED)
    (project / "pyproject.toml").write_text(BLOCKS["toml pyproject"], encoding="utf-8")
    assert from_project(project)[:3] == (None, ("NB301",), True)
    assert action(project).code == 0
    (project / "pyproject.toml").write_text("[tool.netbuild]\nstrict = true\n", encoding="utf-8")
    assert action(project).code == 1
    assert action(project, strict="false").code == 0


@pytest.mark.parametrize(("text", "code"), [(GOOD, 0), (BAD, 1)])
def test_sarif(text: str, code: int, project: Path) -> None:
    """The report for code scanning is written where the upload finds it, be there faults or not."""
    add(project, text)
    done = action(project, sarif="true")
    assert done.code == code
    report = (done.temp / "output").read_text(encoding="utf-8").removeprefix("report=").strip()
    said = json.loads(Path(report).read_text(encoding="utf-8"))
    assert len(said["runs"][0]["results"]) == code
    assert UPLOAD["with"]["sarif_file"] == "${{ steps.validate.outputs.report }}"
    assert "!cancelled()" in UPLOAD["if"]


def test_no_report_to_upload(project: Path) -> None:
    """Where the command cannot be understood, or none is asked for, there is nothing to upload."""
    assert not (action(project).temp / "output").exists()
    done = action(project, sarif="true", select="NB999")
    assert done.code
    assert done.err.startswith("netbuild: --select: ")
    assert not (done.temp / "output").exists()


# ----------------------------------------------------------------------------------- the page


def commands(block: str) -> list[str]:
    """Return the commands of a job on the page, without what installs netbuild."""
    said: dict[str, Any] = yaml.safe_load(BLOCKS[block])
    if "jobs" in said:
        script = [step["run"] for step in said["jobs"]["validate"]["steps"] if "run" in step]
    else:
        script = said["netbuild"]["script"]
    assert script[0].startswith("pip install ")
    return script[1:]


@pytest.mark.parametrize("block", [name for name in BLOCKS if name.startswith("yaml github ")])
def test_jobs_give_the_action_inputs(block: str) -> None:
    """The jobs that use the action give it inputs that it has."""
    step = yaml.safe_load(BLOCKS[block])["jobs"]["validate"]["steps"][1]
    assert step["uses"].startswith("OWNER/netbuild@")
    assert step["with"].keys() <= DEFAULTS.keys()


@pytest.mark.parametrize("text", thinned([*CODES], [WARNED]))
def test_github_without_the_action(text: str, project: Path) -> None:
    """The job fails for faults and for warnings."""
    add(project, text)
    assert run("\n".join(commands("yaml github")), project).code == CODES[text]


@pytest.mark.parametrize("text", thinned([*CODES], [WARNED]))
def test_gitlab(text: str, project: Path) -> None:
    """The job prints the faults, and writes the report that it names as an artifact."""
    add(project, text)
    done = run("\n".join(commands("yaml gitlab")), project)
    assert done.code == CODES[text]
    assert done.out.splitlines()[-1].startswith("2 files checked: ")
    name = yaml.safe_load(BLOCKS["yaml gitlab"])["netbuild"]["artifacts"]["reports"]["junit"]
    report = etree.parse(project / name).getroot()
    assert (report.get("tests"), report.get("failures")) == ("2", str(CODES[text]))


@pytest.mark.parametrize("text", thinned([*CODES], [WARNED]))
def test_gitlab_quality(text: str, project: Path) -> None:
    """The job writes an entry for each fault into the report that it names."""
    add(project, text)
    done = run("\n".join(commands("yaml gitlab quality")), project)
    assert done.code == CODES[text]
    name = yaml.safe_load(BLOCKS["yaml gitlab quality"])["netbuild"]["artifacts"]["reports"]
    entries = json.loads((project / name["codequality"]).read_text(encoding="utf-8"))
    assert len(entries) == CODES[text]  # each has one fault, or none
    assert all(entry["location"]["path"].startswith("configs/") for entry in entries)


def test_gitlab_ends_at_an_unusable_command(project: Path) -> None:
    """Where there is nothing to check, the first command ends the job."""
    (project / "configs/net.yaml").unlink()
    done = run("\n".join(commands("yaml gitlab")), project)
    assert done.code
    assert len(done.err.splitlines()) == 1


def test_our_own_ci() -> None:
    """The worked networks are checked by every run of our own CI, warnings as errors."""
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert re.search(
        r'^"\$bare/venv/bin/netbuild" validate --strict configs/$', script, re.MULTILINE
    )
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    assert {"run": ".ci/run"} in workflow["jobs"]["checks"]["steps"]
