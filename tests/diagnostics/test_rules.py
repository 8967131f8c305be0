"""Each code has a page: an example with the fault, one without it, and where it is checked.

With `--overwrite`, the tests write the places into the pages, and the pages into `docs/rules.md`.
"""

from __future__ import annotations

import ast
import io
import json
import re
import shlex
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from netbuild.checks.trace import infer, trainable
from netbuild.config.load import read
from netbuild.diagnostics import rules
from netbuild.diagnostics.codes import CODES
from netbuild.diagnostics.exceptions import ConfigError
from netbuild.reports import rules as render
from netbuild.syntax.parser import from_bytes
from tests import ROOT
from tests.tables import over
from tests.test_static import output
from tests.torch_release import pretend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import RenderableType

    from netbuild.diagnostics.diagnostic import Diagnostic
    from tests.conftest import Netbuild

FOLDER = Path(rules.__file__).parent

#: Codes that `netbuild train` gives and `netbuild validate` does not.
ONLY_IN_TRAINING = {"NB402"}


@cache
def pages() -> dict[str, rules.Page]:
    """Return the page of each code."""
    return {code: rules.page(code) for code in CODES}


def given(tree: ast.AST, within: str = "") -> Iterator[tuple[str, str]]:
    """Yield each code that stands in a syntax tree as a whole string, with its function.

    Comparisons such as `error.code == "NB203"`, and titles such as `CODES["NB318"]`, give no fault.
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Compare):
            continue
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "CODES":
            continue
        if isinstance(node, ast.Constant) and re.fullmatch(r"NB\d{3}", str(node.value)):
            yield str(node.value), within
        named = isinstance(node, (ast.FunctionDef, ast.ClassDef))
        yield from given(node, f"{within}.{node.name}".lstrip(".") if named else within)


@cache
def checks() -> dict[str, dict[str, tuple[str, ...]]]:
    """Return, for each code, the modules of the package that give it, with their functions."""
    found: dict[str, dict[str, dict[str, None]]] = defaultdict(lambda: defaultdict(dict))
    for path in sorted((ROOT / "netbuild").rglob("*.py")):
        if path.name != "codes.py":  # the table of all codes
            module = path.relative_to(ROOT).as_posix()
            for code, function in given(ast.parse(path.read_text("utf-8"))):
                found[code][module].update({function: None} if function else {})
    return {
        code: {module: tuple(names) for module, names in modules.items()}
        for code, modules in found.items()
    }


@pytest.fixture(scope="module", autouse=True)
def _renewed(request: pytest.FixtureRequest) -> None:
    """With `--overwrite`, write into each page where its code is checked."""
    if not request.config.getoption("--overwrite"):
        return
    for code in CODES:
        path = FOLDER / f"{code}.md"
        text = re.sub(
            r"\A---\n.*?^---\n", "", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE
        )
        lines = (
            f"{module}: {', '.join(names)}".removesuffix(": ")
            for module, names in checks().get(code, {}).items()
        )
        path.write_text("\n".join(["---", *lines, "---", text]), "utf-8")


def printed(what: RenderableType) -> list[str]:
    """Return the lines that a terminal of 80 columns shows."""
    console = Console(file=io.StringIO(), width=80)
    console.print(what)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def weights_of(text: str) -> bytes:
    """Return a safetensors file with zeros for the weights of a network."""
    header, end = {}, 0
    for name, shape in infer(read(from_bytes("trunk", text.encode()))).tensors.items():
        count = 4  # bytes
        for size in shape:
            count *= size
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + count]}
        end += count
    described = json.dumps(header).encode()
    return len(described).to_bytes(8, "little") + described + bytes(end)


def check(page: rules.Page, name: str, monkeypatch: pytest.MonkeyPatch) -> Sequence[Diagnostic]:
    """Return what is found in a file of a page, with its other files beside it.

    A first line `# netbuild …` is the command, `# saved as …` the encoding, and `# with torch …`
    the installed release.
    """
    for other, text in page.files.items():
        if other not in {"bad", "good"}:
            data = weights_of(text) if other.endswith(".safetensors") else text.encode()
            Path(other).write_bytes(data)
    text = page.files[name]
    pretend(text, monkeypatch)
    first = text.partition("\n")[0]
    words = shlex.split(first[1:]) if first.startswith("# netbuild validate") else []
    settings = [words[n + 1] for n, word in enumerate(words) if word == "--set"]
    encoding = "latin-1" if first.startswith("# saved as Latin-1") else "utf-8"
    config = read(from_bytes("net.yaml", text.encode(encoding)), settings)
    if page.code in ONLY_IN_TRAINING:
        try:
            return trainable(config).diagnostics
        except ConfigError as error:
            return error.diagnostics
    return infer(config).diagnostics


@pytest.mark.parametrize("code", CODES)
def test_bad(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bad file of a page has this fault only."""
    monkeypatch.chdir(tmp_path)
    assert {d.code for d in check(pages()[code], "bad", monkeypatch)} == {code}


@pytest.mark.parametrize("code", CODES)
def test_good(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The good file has neither faults nor warnings."""
    monkeypatch.chdir(tmp_path)
    assert check(pages()[code], "good", monkeypatch) == ()


@over(CODES)
def test_form(code: str) -> None:
    """A page begins with a paragraph, is short, and its examples fit a terminal."""
    page = pages()[code]
    first, *_, last = page.parts
    assert isinstance(first, str)
    assert isinstance(last, rules.Example)
    assert [name for name in page.files if name in {"bad", "good"}] == ["bad", "good"]
    assert "```" not in page.text
    assert len(page.text.split()) <= 110
    lines = printed(render.text(page, 80))
    assert lines[0] == f"{code}  {CODES[code]}"
    for text in page.files.values():
        assert all(f"  {line}".rstrip() in lines for line in text.splitlines())


def test_every_page_has_a_code() -> None:
    """There are as many pages as codes, and each group has a title."""
    assert sorted(path.stem for path in FOLDER.glob("*.md")) == sorted(CODES)
    assert list(rules.GROUPS) == list(dict.fromkeys(code[:3] for code in CODES))


def test_every_code_given_is_in_the_table() -> None:
    """The package gives each code of the table, and no other one."""
    strange = {code: list(checks()[code]) for code in checks() if code not in CODES}
    assert strange == {}, "these modules give codes that diagnostics/codes.py does not have"
    assert [code for code in CODES if code not in checks()] == []


@over(CODES)
def test_checks(code: str) -> None:
    """A page names all modules and functions that give its code, and no others."""
    here = Path(__file__).relative_to(ROOT)
    renew = f"to renew {code}.md and docs/rules.md, run: pytest {here} --overwrite"
    assert pages()[code].checks == checks()[code], renew


def test_pages_name_what_there_is() -> None:
    """Codes in the text of a page are codes, and commands are commands."""
    from netbuild.cli import COMMANDS

    commands = set(COMMANDS)
    for page in pages().values():
        assert set(re.findall(r"NB\d{3}", page.text)) <= set(CODES)
        assert set(re.findall(r"`netbuild (\w+)", page.text)) <= commands


def test_document(expect: Callable[[Path, str], None]) -> None:
    """`docs/rules.md` is up to date; `netbuild rule --format markdown` writes it."""
    expect(ROOT / "docs/rules.md", render.markdown(list(pages().values())))


def test_links_of_the_document() -> None:
    """Each link of the table leads to a heading: GitHub makes its anchors from headings."""
    text = (ROOT / "docs/rules.md").read_text("utf-8")
    anchors = re.findall(r"\]\(#(.*?)\)", text)
    assert anchors == [heading.lower() for heading in re.findall(r"^### (.*)$", text, re.MULTILINE)]
    assert len(anchors) == len(CODES)


def test_listing(netbuild: Netbuild) -> None:
    """Without a code all codes are listed by group; with a prefix, the codes that begin with it."""
    done = netbuild("rule")
    listed = re.findall(r"^  (NB\d{3})  (.*)$", done.stdout, re.MULTILINE)
    assert dict(listed) == CODES
    assert max(map(len, done.stdout.splitlines())) <= 80
    group = netbuild("rule", "nb5").stdout
    assert group == (
        "Data and files\n"
        "  NB501  data that does not fit the network or the loss\n"
        "  NB502  a file of weights that cannot be read\n"
        "  NB503  weights that do not fit the network\n"
        "  NB504  an augmentation that moves the image but not its target\n"
        "  NB508  an augmentation that brings places without a class into a mask\n"
        "  NB509  an augmentation that mixes samples whose targets cannot be mixed\n"
        "  NB512  an input or a target that cannot be normalized\n"
    )


def test_page(netbuild: Netbuild) -> None:
    """`netbuild rule CODE` prints the page of the code, which may be in lower case."""
    done = netbuild("rule", "nb009")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "NB009  a key and a value without a colon and a space between them",
        "",
        (
            "YAML needs a colon and a space between a key and its value. Without the space, "
            "YAML reads"
        ),
        (
            "`Linear:10` as text, and `{kernel_size:3}` as a key without a value. The same holds "
            "without the"
        ),
        "colon: `kernel_size 3` and `kernel_size=3` are one text. Write `kernel_size: 3`.",
        "",
        "bad",
        "  input: [16]",
        "  layers:",
        "    - Linear:10",
        "",
        "good",
        "  input: [16]",
        "  layers:",
        "    - Linear: 10",
        "",
        "checked in",
        "  netbuild/syntax/colons.py: missing_space, missing_colon",
    ]


def test_json(netbuild: Netbuild) -> None:
    """In JSON a page is an object, and the pages are a list, even for one code."""
    (page,) = json.loads(netbuild("rule", "NB302", "--format", "json").stdout)
    assert {name: page[name] for name in ("code", "severity", "group", "title")} == {
        "code": "NB302",
        "severity": "warning",
        "group": "Architecture",
        "title": "a result that no layer reads",
    }
    assert page["text"] == pages()["NB302"].text
    assert page["files"] == pages()["NB302"].files
    assert page["checks"] == {"netbuild/checks/lint/unread.py": ["unread_results"]}
    assert len(json.loads(netbuild("rule", "--format", "json").stdout)) == len(CODES)


def test_markdown(netbuild: Netbuild) -> None:
    """The Markdown of all codes is the document; the Markdown of one code is its section."""
    whole = (ROOT / "docs/rules.md").read_text("utf-8")
    assert netbuild("rule", "--format", "markdown").stdout == whole
    one = netbuild("rule", "NB204", "--format", "markdown").stdout
    assert f"##{one}" in whole


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("NB299", "no code is called NB299: did you mean NB"),
        ("N204", "no code is called N204: did you mean NB204?"),
        (
            "windows",
            "no code is called windows: netbuild rule lists all codes, in the groups NB0 to",
        ),
        ("NB9", "no code is called NB9: netbuild rule lists all codes, in the groups NB0 to NB5"),
        ("nb38", "no code is called nb38: netbuild rule lists all codes, in the groups NB0 to NB5"),
    ],
)
def test_unknown(netbuild: Netbuild, code: str, said: str) -> None:
    """For an unknown code, the message names the nearest code or the groups."""
    done = netbuild("rule", code)
    assert done.returncode == 2
    assert done.stderr.startswith(f"netbuild: {said}")


def test_static() -> None:
    """No torch is loaded for any of the formats."""
    for format_ in ("text", "json", "markdown"):
        assert output(["rule", "NB204", "--format", format_])[-1] == "LOADED"
