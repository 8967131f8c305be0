"""The pages in docs/ are correct: every example on them is run.

The label of a block is its kind: `yaml NAME` is a whole file without a fault. `yaml file NAME` is a
file that other blocks use. `yaml faults NAME` has files with their codes. `text NAME` lists the
layers of the file NAME. `console` is a command with its output; the output of `console shown`
differs each time. Blocks of `python` run one after the other.
"""

from __future__ import annotations

import re
import shlex
import shutil
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from netbuild.checks.trace import infer
from netbuild.cli import COMMANDS, Commands
from netbuild.components.component import FromInput
from netbuild.components.datasets import DATASETS
from netbuild.components.layers import LAYERS
from netbuild.components.layers.elementwise import parsing
from netbuild.components.layers.elementwise.functions import FUNCTIONS
from netbuild.components.tensor import times
from netbuild.config import bases, block_files, init
from netbuild.config.load import read
from netbuild.config.preparation import Preparation
from netbuild.config.sections import SECTIONS
from netbuild.diagnostics import diagnostic
from netbuild.diagnostics.diagnostic import errors
from netbuild.graph.tracing import limits
from netbuild.syntax import expression, names, parser
from netbuild.syntax.node import plain
from netbuild.syntax.parser import from_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from netbuild.graph.graph import Graph
    from tests.conftest import Netbuild

from tests import ROOT

LESSONS = ("lessons/convolution", "lessons/modes")
PAGES = ("language", "commands", "settings", "python", "training", "seeing", *LESSONS)
TEXTS = {name: (ROOT / f"docs/{name}.md").read_text(encoding="utf-8") for name in PAGES}
LANGUAGE, REFERENCE = TEXTS["language"], TEXTS["commands"]
#: The warnings of examples that are about something else.
WARNED = {"repeat": {"NB301"}, "file two.yaml": {"NB301"}, "distil": {"NB316"}}
WARNED["fine-tune"] = {"NB316"}  # its file of weights comes with --set


class Block(NamedTuple):
    """A fenced block of a page."""

    page: str
    kind: str
    label: str
    text: str


BLOCKS = [
    Block(page, kind, label.strip(), block)
    for page, text in TEXTS.items()
    for kind, label, block in re.findall(
        r"^```(\w+)([^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL
    )
]


def blocks(kind: str, prefix: str = "") -> list[Block]:
    """Return the blocks of a kind whose labels begin with a word."""
    return [b for b in BLOCKS if b.kind == kind and f"{b.label} ".startswith(prefix)]


def traced(block: Block, folder: Path, *settings: str) -> Graph:
    """Return the network of a block, in a folder that holds the files of its page."""
    for other in blocks("yaml", "file "):
        if other.page == block.page:
            (folder / other.label.removeprefix("file ")).write_text(other.text, encoding="utf-8")
    source = from_bytes(str(folder / "network.yaml"), block.text.encode())
    return infer(read(source, settings))


def names_of(blocks_: list[Block]) -> list[str]:
    """Return the names of the tests of these blocks."""
    return [f"{block.page}-{block.label or 'example'}" for block in blocks_]


FILES = [b for b in blocks("yaml") if not b.label.startswith("faults ")]


@pytest.mark.parametrize("block", FILES, ids=names_of(FILES))
def test_a_file(block: Block, tmp_path: Path) -> None:
    """A file that a page shows has no fault, and no warning but those that the page names."""
    found = traced(block, tmp_path).diagnostics
    assert [fault.message for fault in errors(found)] == []
    assert {fault.code for fault in found} == WARNED.get(block.label, set())


FAULTY = [
    Block(block.page, "yaml", f"{block.label} {number}", text)
    for block in blocks("yaml", "faults ")
    for number, text in enumerate(block.text.split("---\n"))
]


@pytest.mark.parametrize("block", FAULTY, ids=names_of(FAULTY))
def test_a_faulty_file(block: Block, tmp_path: Path) -> None:
    """A file that a page calls faulty gets the codes in its first line, and no other."""
    head = re.match(r"# (NB\d{3}(?:, NB\d{3})*): ", block.text)
    assert head is not None
    found = errors(traced(block, tmp_path).diagnostics)
    assert ", ".join(fault.code for fault in found) == head[1]


SHAPES = [b for b in blocks("text") if b.label in {file.label for file in FILES}]


@pytest.mark.parametrize("block", SHAPES, ids=names_of(SHAPES))
def test_shapes(block: Block, tmp_path: Path) -> None:
    """The layers that a page lists for a file have these paths, types and shapes."""
    (file,) = (b for b in FILES if (b.page, b.label) == (block.page, block.label))
    rows = traced(file, tmp_path).rows
    said = [
        f"{row.path}: {row.type} {times(next(iter(row.outputs.values())).shape)}" for row in rows
    ]
    assert said == block.text.splitlines()


def test_every_list_of_layers_has_its_file() -> None:
    """Every list of layers is compared by a test."""
    others = {block.label for block in blocks("text")} - {block.label for block in SHAPES}
    assert others == {"reserved-modules", "reserved-names"}


# ------------------------------------------------------------------------- tables of the language


def section(title: str, page: str = LANGUAGE) -> str:
    """Return the text below a heading, up to the next one of its depth."""
    (found,) = re.findall(
        rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL
    )
    return str(found)


def rows(text: str) -> list[list[str]]:
    """Return the cells of all tables in a text, without their heads."""
    tables = re.findall(r"^\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for table in tables
        for line in table.splitlines()
    ]


def words(cell: str) -> list[str]:
    """Return the texts in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def test_the_sections() -> None:
    """The table of sections has all, in the order in which a file is best read."""
    assert [words(row[0])[0] for row in rows(section("A file"))] == list(SECTIONS)


def test_expressions() -> None:
    """Every row of the table of expressions is what an expression gives."""
    known = {"width": 32, "deep": False, "sizes": [10, 20]}
    known |= {"in_shape": (3, 8, 8), "in_channels": 3, "in_features": 8}
    pairs = [[words(cell)[0] for cell in row] for row in rows(section("Expressions"))[:18]]
    found = {text: repr(expression.evaluate(text, known)) for text, _ in pairs}
    assert found == dict(pairs)
    assert len(found) == 18


def test_reserved_names() -> None:
    """The names that a module and a variable cannot have are all there."""
    shown = {block.label: set(block.text.split()) for block in blocks("text")}
    assert shown["reserved-modules"] == names.RESERVED
    assert shown["reserved-names"] == expression.RESERVED


@pytest.mark.parametrize(
    ("setting", "effect"),
    [(words(row[0])[0], row[1]) for row in rows(section("--set"))],
    ids=lambda text: text.partition("=")[0],
)
def test_settings(setting: str, effect: str, tmp_path: Path) -> None:
    """A setting of the table changes the file without a fault, or is the fault that it names."""
    (block,) = blocks("yaml", "settings ")
    before, after = traced(block, tmp_path), traced(block, tmp_path, setting)
    codes = [fault.code for fault in errors(after.diagnostics)]
    assert codes == re.findall(r"^(NB\d{3}):", effect)
    assert (plain(after.config.root) == plain(before.config.root)) == bool(codes)


def test_what_the_input_decides() -> None:
    """The table names every field that a layer leaves to its input."""
    shown = {
        (field, layer)
        for fields, layers in rows(section("Items"))
        for field in words(fields)
        for layer in words(layers)
    }
    assert shown == {
        (field, name)
        for name, layer in LAYERS.items()
        for field, info in layer.model_fields.items()
        if any(isinstance(mark, FromInput) for mark in info.metadata)
    }


def test_inputs_of_layers() -> None:
    """The table names every layer with other inputs than `input`, and these inputs."""
    shown = {}
    for row in rows(section("Inputs and outputs")):
        if len(row) == 3 and "`" in row[0] and "mask" not in row[0]:
            layers, needed, optional = row
            variadic = needed == "two or more"
            inputs = ["input", "other"] if variadic else words(needed)
            shown |= {name: (inputs, words(optional), variadic) for name in words(layers)}
    assert shown == {
        name: (
            [*layer.inputs],
            [*layer.optional_inputs, *layer.named_inputs],
            layer.variadic,
        )
        for name, layer in LAYERS.items()
        if (layer.inputs, layer.optional_inputs, layer.named_inputs) != (("input",), (), ())
    }


def test_functions_of_formulas() -> None:
    """The section names every function that a formula can call."""
    lists = re.findall(r"- Functions of .*?(?=\n- )", section("Formula"), re.DOTALL)
    shown = set(re.findall(r"`(\w+)(?:\([^)]*\))?`", " ".join(lists)))
    assert shown == set(FUNCTIONS)


def said(value: Any) -> str:
    """Return a default as YAML writes it."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(said, value))}]"
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_data_sources() -> None:
    """The table of sources has every field with its default, and so has that of the preparation."""
    sources, preparation = {}, {}
    for row in rows(section("Data")):
        if "validation" in row[0] or row[0].strip("`") in Preparation.model_fields:
            preparation[words(row[0])[0]] = row[1]
        else:
            sources[words(row[0])[0]] = words(row[1])
    assert sources == {
        name: [
            field if info.is_required() else f"{field}: {said(info.default)}"
            for field, info in source.model_fields.items()
        ]
        for name, source in DATASETS.items()
    }
    defaults = {name: said(info.default) for name, info in Preparation.model_fields.items()}
    assert preparation == defaults


def test_limits() -> None:
    """The table of limits has the numbers of the code."""
    assert {row[0]: int(row[1].replace(",", "")) for row in rows(section("Limits"))} == {
        "bytes of a file": parser.MAX_BYTES,
        "levels of nesting in a file": parser.MAX_DEPTH,
        "values in a file, with aliases written out": parser.MAX_NODES,
        "aliases in a file": parser.MAX_ALIASES,
        "files that extend one another, or name one another as blocks": bases.MAX_BASES,
        "files that blocks name": block_files.MAX_FILES,
        "characters of an expression": expression.MAX_LENGTH,
        "levels of an expression": expression.MAX_DEPTH,
        "characters of a text that an expression makes": expression.MAX_TEXT,
        "stacks within one another": limits.MAX_DEPTH,
        "members of all stacks": limits.MAX_MEMBERS,
        "values in the fields of all layers and blocks": limits.MAX_VALUES,
        "layers": limits.MAX_LAYERS,
        "characters of a formula": parsing.MAX_LENGTH,
        "levels of a formula": parsing.MAX_DEPTH,
        "rules of `init`": init.MAX_RULES,
        "faults that are reported": diagnostic.MAX_FAULTS,
    }


# ---------------------------------------------------------------------------- commands and Python


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_there(command: str) -> None:
    """The page of commands has each command, with all its options."""
    titles = re.findall(r"^## (.*)$", REFERENCE, re.MULTILINE)
    (title,) = (title for title in titles if command in title.split(", "))
    shown = section(title, REFERENCE)
    options = {
        option
        for parameter in Commands()[command].params
        for option in parameter.opts
        if option.startswith("--") and option != "--help"
    }
    assert options <= {*re.findall(r"(?<![\w-])--[a-z-]+", shown)}


CONSOLE = [b for b in blocks("console") if b.label != "shown"]


@pytest.mark.parametrize("block", CONSOLE, ids=lambda block: block.text.splitlines()[0])
def test_a_command(
    block: Block, netbuild: Netbuild, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A command of a page prints what the page shows; `--overwrite` renews the page."""
    first, _, shown = block.text.partition("\n")
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    for other in blocks("yaml", "file "):
        (tmp_path / other.label.removeprefix("file ")).write_text(other.text, encoding="utf-8")
    program, *arguments = shlex.split(first.removeprefix("$ "))
    assert program == "netbuild"
    done = netbuild(*arguments, cwd=tmp_path)
    printed = "".join(f"{line.rstrip()}\n" for line in (done.stdout + done.stderr).splitlines())
    if request.config.getoption("--overwrite"):
        path = ROOT / f"docs/{block.page}.md"
        page = path.read_text(encoding="utf-8")
        path.write_text(page.replace(block.text, f"{first}\n{printed.strip()}\n"), "utf-8")
    assert shown.strip("\n") == printed.strip("\n")


def test_commands_that_are_shown() -> None:
    """Every command and option on the pages exists."""
    lines = [line for b in BLOCKS if b.kind in {"console", "sh"} for line in b.text.splitlines()]
    used = [match for line in lines for match in re.findall(r"\bnetbuild ([a-z]+)([^|#]*)", line)]
    assert used
    for command, rest in used:
        known = {o for p in Commands()[command].params for o in (*p.opts, *p.secondary_opts)}
        assert {*re.findall(r"(?<!\S)--[a-z-]+", rest)} <= known, command


def test_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python of the page runs, from the first block to the last."""
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    monkeypatch.chdir(tmp_path)
    known: dict[str, object] = {}
    for block in blocks("python"):
        exec(compile(block.text, f"docs/{block.page}.md", "exec"), known)  # noqa: S102  our own text
    assert {"graph", "module", "run"} <= known.keys()


def test_links() -> None:
    """Every link of the pages, the README and CONTRIBUTING leads to a file and a heading."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        text = re.sub(
            r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
        )
        for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            assert target.exists(), (page.name, link)
            if anchor and target.suffix == ".md":
                titles = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
                assert anchor in map(_anchor, titles), (page.name, link)


def _anchor(title: str) -> str:
    """Return what GitHub calls a heading in links."""
    linked = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
    return re.sub(r"[^\w -]", "", linked.lower()).replace(" ", "-")


def test_the_rooms() -> None:
    """CONTRIBUTING shows every room, and every file that it names is there."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"^  (\w+)/ ", text, re.MULTILINE))
    assert shown == {path.parent.name for path in (ROOT / "netbuild").glob("*/__init__.py")}
    paths = [path for path in re.findall(r"`(netbuild/[^`]+)`", text) if "<" not in path]
    assert [path for path in paths if not (ROOT / path).exists()] == []
