"""The name of a network, which is the name of a folder on every system."""

import pytest

from netbuild.config.load import read
from netbuild.syntax.parser import from_bytes

_REST = "input: [4]\nlayers: [ReLU]\n"
_LETTERS = "a name has letters, digits, '.', '_' and '-', because a folder gets this name"
_DOT = "a name does not end with '.', because Windows leaves it out of a folder's name"


def _device(name: str) -> str:
    return f"{name} is a device on Windows, so no folder there has this name"


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("con", _device("con")),
        ("NUL", _device("NUL")),
        ("Aux.v2", _device("Aux")),
        ("lpt1", _device("lpt1")),
        ("x.", _DOT),
        ("'x '", _LETTERS),
        ("a b", _LETTERS),
        ("a:b", _LETTERS),
        ("a/b", _LETTERS),
        ("'a*'", _LETTERS),
        (".x", _LETTERS),
    ],
)
def test_no_folder_has_this_name(name: str, label: str) -> None:
    """A name that some system has no folder for is a fault on every system."""
    config = read(from_bytes("net.yaml", f"name: {name}\n{_REST}".encode()))
    (fault,) = config.diagnostics
    assert (fault.code, fault.label) == ("NB106", label)
    assert config.name == "net"


@pytest.mark.parametrize("name", ["console", "com10", "aux_net", "x.con", "1.5", "a" * 100])
def test_a_folder_has_this_name(name: str) -> None:
    """Names that only look like those of devices are names."""
    config = read(from_bytes("net.yaml", f"name: {name}\n{_REST}".encode()))
    assert (config.name, config.diagnostics) == (name, ())


@pytest.mark.parametrize(("file", "name"), [("con.yaml", "network"), ("x..yaml", "x")])
def test_the_name_of_the_file(file: str, name: str) -> None:
    """The name of a file without `name` is one that a folder has."""
    assert read(from_bytes(file, _REST.encode())).name == name
