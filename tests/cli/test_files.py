"""Which files `netbuild validate` checks, and whose settings hold for them."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from netbuild.diagnostics.selection import Settings
from tests import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Netbuild

GOOD = "input: [4]\nlayers: [Linear: 3, ReLU]\n"
WARNED = "input: [4]\nlayers: [Linear: 4, Linear: 4]\n"
WRONG = "input: [4]\nlayers: [Linaer: 2]\n"


def files(folder: Path, **texts: str) -> None:
    """Write files; `a__b` is `a/b.yaml`, and `toml` is the `pyproject.toml` of its folder."""
    for name, text in texts.items():
        path = folder / f"{name.replace('__', '/')}.yaml"
        if path.stem == "toml":
            path = path.with_name("pyproject.toml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def places(text: str) -> list[str]:
    """Return the file and the code of each line of the concise format."""
    return [f"{line.split(':')[0]} {line.split('[')[1][:5]}" for line in text.splitlines()]


def concise(netbuild: Netbuild, folder: Path, *arguments: str) -> list[str]:
    """Return what `validate` finds in a folder."""
    return places(netbuild("validate", "--format", "concise", *arguments, cwd=folder).stdout)


def test_each_file_has_the_settings_of_its_own_folder(netbuild: Netbuild, tmp_path: Path) -> None:
    """The nearest pyproject.toml above the file counts, and not that of the current folder."""
    files(
        tmp_path,
        a__toml='[tool.netbuild]\nignore = ["NB301"]\n',
        a__deep__net=WARNED,
        b__toml="[tool.netbuild]\nstrict = true\n",
        b__net=WARNED,
        here__toml='[tool.netbuild]\nignore = ["NB"]\n',
    )
    here = tmp_path / "here"
    assert concise(netbuild, here, "../a", "../b") == ["../b/net.yaml NB301"]
    assert netbuild("validate", "../a", cwd=here).returncode == 0
    assert netbuild("validate", "../b", cwd=here).returncode == 1
    assert netbuild("validate", "../b", "--no-strict", cwd=here).returncode == 0
    assert concise(netbuild, here, "../a", "--ignore", "NB302") == ["../a/deep/net.yaml NB301"]


def test_fixes_follow_the_settings_of_the_file(netbuild: Netbuild, tmp_path: Path) -> None:
    """A code that the project of a file ignores is not fixed in it."""
    bad = "input: [4]\nlayers: [Linear: 4, Dropout: {inplace: no}]\n"
    files(tmp_path, a__toml='[tool.netbuild]\nignore = ["NB106"]\n', a__net=bad, b__net=bad)
    assert netbuild("validate", "a", "b", "--fix", cwd=tmp_path).returncode == 1
    assert (tmp_path / "a/net.yaml").read_text(encoding="utf-8") == bad
    assert "inplace: false" in (tmp_path / "b/net.yaml").read_text(encoding="utf-8")


def test_without_a_path_the_project_is_checked(netbuild: Netbuild, tmp_path: Path) -> None:
    """`include` names files, folders and patterns, from the folder of the pyproject.toml."""
    files(
        tmp_path,
        toml='[tool.netbuild]\ninclude = ["configs", "more/**/*.yaml"]\nexclude = ["old"]\n',
        compose="services: {}\n",
        configs__a=WRONG,
        configs__old__b=WRONG,
        more__c=WRONG,
        more__deep__d=WRONG,
    )
    found = ["configs/a.yaml NB103", "more/c.yaml NB103", "more/deep/d.yaml NB103"]
    assert concise(netbuild, tmp_path) == found
    below = concise(netbuild, tmp_path / "configs")
    assert below == [f"../{one}".replace("../configs/", "") for one in found]


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        (
            "",
            (
                'name a file or a folder, or write [tool.netbuild] include = ["configs"] '
                "into pyproject.toml"
            ),
        ),
        (
            '[tool.netbuild]\ninclude = ["nets"]\n',
            "include in [tool.netbuild] names nets, which does not exist",
        ),
        (
            "[tool.netbuild]\ninclude = 'nets'\n",
            (
                "pyproject.toml: include in [tool.netbuild] must be a list of paths, "
                'such as ["configs"]'
            ),
        ),
        (
            "[tool.netbuild]\nper-file-ignores = ['NB301']\n",
            (
                "pyproject.toml: per-file-ignores in [tool.netbuild] must be a table, such as "
                '{"old/*" = ["NB301"]}'
            ),
        ),
        (
            "[tool.netbuild.per-file-ignores]\n'old/*' = ['NB999']\n",
            (
                "pyproject.toml: per-file-ignores in [tool.netbuild], old/*: no code begins with "
                "NB999; a code looks like NB301, and a group like NB3"
            ),
        ),
        (
            "[tool.netbuild]\nbaseline = 3\n",
            "pyproject.toml: baseline in [tool.netbuild] must be the path of a file",
        ),
    ],
)
def test_what_a_project_cannot_say(
    toml: str, said: str, netbuild: Netbuild, tmp_path: Path
) -> None:
    """A wrong setting, or none at all, is one sentence and exit code 2."""
    files(tmp_path, toml=toml)
    done = netbuild("validate", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"netbuild: {said}\n")


def test_a_search_leaves_out_what_is_excluded(netbuild: Netbuild, tmp_path: Path) -> None:
    """`exclude` holds for searches, and a file that is named is checked all the same."""
    files(
        tmp_path,
        toml='[tool.netbuild]\nexclude = ["drafts/", "nets/*-old.yaml"]\n',
        drafts__a=WRONG,
        nets__b=WRONG,
        **{"nets__b-old": WRONG, "nets__drafts__c": WRONG},
    )
    assert concise(netbuild, tmp_path, ".") == ["nets/b.yaml NB103"]
    assert concise(netbuild, tmp_path, "drafts/a.yaml") == ["drafts/a.yaml NB103"]


def test_per_file_ignores(netbuild: Netbuild, tmp_path: Path) -> None:
    """A pattern looks at the file in which a fault lies. Hidden errors still count."""
    files(
        tmp_path,
        toml='[tool.netbuild.per-file-ignores]\n"old/*" = ["NB3"]\n"c.yaml" = ["NB103"]\n',
        old__base=WARNED,
        a="extends: old/base.yaml\n",
        b=WARNED,
    )
    assert concise(netbuild, tmp_path, ".") == ["b.yaml NB301"]
    files(tmp_path, c=WRONG)
    done = netbuild("validate", "c.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "1 file checked: 0 errors, 1 error hidden\n")


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("configs", True),
        ("configs/", True),
        ("./configs/old", True),
        ("configs/*", True),
        ("configs/**/net.yaml", True),
        ("**/net.yaml", True),
        ("net.*", True),
        ("old", True),
        ("configs/net.yaml", False),
        ("onfigs", False),
        ("old/net.yaml", False),
        ("Configs", False),
    ],
)
def test_patterns(pattern: str, *, fits: bool) -> None:
    """A pattern with a slash starts at the project; one without fits a name at any depth."""
    settings = Settings(exclude=(pattern,), folder=ROOT)
    assert settings.excludes(str(ROOT / "configs/old/net.yaml")) is fits


def run_of(folder: Path) -> Path:
    """Make the folder of a run, whose own config extends a file that is gone."""
    run = folder / "runs/net/2026-01-31T12-00-00"
    run.mkdir(parents=True)
    (run / "config.yaml").write_text("extends: ../gone.yaml\n", encoding="utf-8")
    (run / "resolved.yaml").write_text(WARNED, encoding="utf-8")
    (run / "environment.json").write_text("{}", encoding="utf-8")
    return run


def test_a_run_stands_for_its_config(netbuild: Netbuild, tmp_path: Path) -> None:
    """`validate`, `summary`, `explain` and `diff` read the complete config of a run."""
    run = run_of(tmp_path)
    assert concise(netbuild, tmp_path, str(run))[0].endswith("resolved.yaml NB301")
    for place in (run, run.parent):
        assert "total" in netbuild("summary", place).stdout
        assert "out_features = 4" in netbuild("explain", place, "0").stdout
    shutil.copytree(run, run.parent / "2026-01-31T12-00-01")
    assert "the same" in netbuild("diff", run, run.parent).stdout
    none = netbuild("summary", tmp_path / "runs")
    assert none.returncode == 2
    assert none.stderr == f"netbuild: {tmp_path}/runs is not a run: it has no resolved.yaml\n"


def test_statistics(netbuild: Netbuild, tmp_path: Path) -> None:
    """The numbers of each code replace the faults, the most frequent code first."""
    files(
        tmp_path, a=WARNED, b=WARNED, c="input: [4]\nlayers: [Dropout: {inplace: no}, Linaer: 1]\n"
    )
    done = netbuild("validate", ".", "--statistics", cwd=tmp_path)
    assert done.stdout == (
        "2  NB301  layers that collapse into one\n"
        "1  NB103  an unknown type  (1 with --fix --unsafe-fixes)\n"
        "1  NB106  a value that a field does not take  (1 with --fix)\n"
        "\n"
        "3 files checked: 2 errors, 2 warnings; 1 fixable with --fix, "
        "1 more with --fix --unsafe-fixes\n"
    )
    said = json.loads(
        netbuild("validate", ".", "--statistics", "--format", "json", cwd=tmp_path).stdout
    )
    assert said["errors"] == 2
    assert said["statistics"][0] == {
        "code": "NB301",
        "severity": "warning",
        "title": "layers that collapse into one",
        "count": 2,
        "safe_fixes": 0,
        "unsafe_fixes": 0,
    }
    refused = netbuild("validate", ".", "--statistics", "--format", "sarif", cwd=tmp_path)
    assert refused.stderr == "netbuild: --statistics needs --format text, concise or json\n"


def test_output_file(netbuild: Netbuild, tmp_path: Path) -> None:
    """The report goes into the file, the counts to the terminal. No config is overwritten."""
    files(tmp_path, a=WRONG)
    options = ("--format", "gitlab", "--output-file")
    done = netbuild("validate", ".", *options, "report.json", cwd=tmp_path)
    counts = "1 file checked: 1 error; 1 fixable with --fix --unsafe-fixes\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, counts, "")
    (entry,) = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert entry == {
        "description": "no layer is called Linaer: unknown type (help: did you mean Linear?)",
        "check_name": "NB103",
        "fingerprint": entry["fingerprint"],
        "severity": "major",
        "location": {"path": "a.yaml", "lines": {"begin": 2, "end": 2}},
    }
    for name in ("a.yaml", "new.yml", ".", "no/report.json"):
        refused = netbuild("validate", ".", *options, name, cwd=tmp_path)
        assert refused.returncode == 2
        assert len(refused.stderr.splitlines()) == 1
    assert (tmp_path / "a.yaml").read_text(encoding="utf-8") == WRONG


@pytest.mark.parametrize(
    ("format_", "said"),
    [
        ("github", "::error file=net.yaml"),
        ("gitlab", '"severity": "major"'),
        ("sarif", '"level": "error",\n          "message"'),
    ],
)
def test_strict_warnings_are_errors(
    format_: str, said: str, netbuild: Netbuild, tmp_path: Path
) -> None:
    """With --strict, a format for a service says that a warning is an error."""
    files(tmp_path, net=WARNED)
    command = ("validate", "net.yaml", "--format", format_)
    assert said in netbuild(*command, "--strict", cwd=tmp_path).stdout
    assert said not in netbuild(*command, cwd=tmp_path).stdout
