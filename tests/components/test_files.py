"""Only regular files are opened, and no more of them is read than a bound."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from netbuild.components import files

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes")

#: What is refused, with the reason.
REFUSED = {
    "pipe": "it is a named pipe, not a file",
    "/dev/zero": "it is a device, not a file",
    "circle": "Too many levels of symbolic links",
    "a\0b": "a path cannot have this character",
    "x" * 300: "File name too long",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Enter a folder with what is refused."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    Path("circle").symlink_to("circle")


@pytest.mark.parametrize("path", REFUSED)
def test_what_is_refused(path: str) -> None:
    """What is no regular file is refused at once, with a reason."""
    for function in (files.opened, files.kind):
        with pytest.raises(OSError) as caught:  # noqa: PT011  its reason is compared below
            function(path)
        assert caught.value.strerror == REFUSED[path]
        assert caught.value.filename == path
    assert files.identity(path) is None or path in {"pipe", "/dev/zero"}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
@pytest.mark.parametrize("path", ["/proc/self/mem", "/proc/self/environ", "/proc/cpuinfo"])
def test_files_of_the_system(path: str) -> None:
    """A file of /proc has no size, and perhaps no end."""
    with pytest.raises(OSError, match="it is a file of the system without a size"):
        files.opened(path)


def test_files_and_folders() -> None:
    """A file is read up to its bound, be it empty; a folder is no file; nothing is None."""
    Path("file").write_bytes(b"abc")
    Path("empty").touch()
    assert (files.read("file", 3), files.read("empty", 0)) == (b"abc", b"")
    with pytest.raises(OSError, match="it has more than 2 bytes"):
        files.read("file", 2)
    with pytest.raises(IsADirectoryError):
        files.opened(".")
    assert [files.kind(path) for path in (".", "file", "no", "file/no")] == [
        *("folder", "file", None, None)
    ]
    Path("link").symlink_to("file")
    assert files.identity("link") == files.identity(Path("./file")) != files.identity("empty")


def test_files_below_a_folder() -> None:
    """Files are found by their ending, and another thing of such a name is refused."""
    for name in ("a/1.png", "a/b/2.PNG", "a/3.txt"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    Path("a/gone.png").symlink_to("nothing")
    Path("a/folder.png").mkdir()
    os.mkfifo("a/b/pipe.jpg")
    found = [path.as_posix() for path in files.below("a", {".png"})]
    assert found == ["a/1.png", "a/b/2.PNG", "a/gone.png"]
    for function in (lambda: files.below("a", {".jpg"}), lambda: files.expect_only_files("a")):
        with pytest.raises(OSError, match="it is a named pipe"):
            function()


def test_no_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path has no absolute form if the working folder is gone, or in a NUL character."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert files.real("x") == "x"
    assert files.real("/a\0b") == "/a\0b"
    assert files.real("circle") == "circle"


def test_a_search_ends_among_other_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """The walk below a folder such as `/` ends soon; among many wanted files it goes on."""
    monkeypatch.setattr(files, "MOST_OTHERS", 3)
    for folder in ("a", "b"):
        Path(folder).mkdir()
    for number in range(3):
        Path(f"a/{number}.txt").touch()
    assert files.below("a", {".png"}) == []
    Path("b/3.txt").touch()
    with pytest.raises(OSError, match="it holds more than 3 other files"):
        [*files.each_below(["a", "b"], {".png"})]
    Path("a/1.png").touch()
    assert [len(found) for found in files.each_below(["a", "b"], {".png"})] == [1, 0]
