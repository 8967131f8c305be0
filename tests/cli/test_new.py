"""`netbuild new --from`, `--list`: worked networks with the files that they need."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Netbuild


def test_from_a_worked_network(netbuild: Netbuild, tmp_path: Path) -> None:
    """The network has the new name, and its data lies beside it. Nothing is overwritten."""
    done = netbuild("new", "mine", "--from", "multitask", cwd=tmp_path)
    assert done.stdout == "wrote mine.yaml and penguins.csv; next: netbuild summary mine.yaml\n"
    assert netbuild("validate", "mine.yaml", "--strict", cwd=tmp_path).returncode == 0
    again = netbuild("new", "mine", "--from", "multitask", cwd=tmp_path)
    assert (again.returncode, again.stderr) == (2, "netbuild: mine.yaml already exists\n")
    other = netbuild("new", "--from", "multitask", cwd=tmp_path)  # the same data may stay
    assert other.stdout.startswith("wrote multitask.yaml and penguins.csv;")
    (tmp_path / "penguins.csv").write_text("mine\n", "utf-8")
    refused = netbuild("new", "third", "--from", "multitask", cwd=tmp_path)
    assert refused.stderr == "netbuild: penguins.csv already exists\n"
    assert not (tmp_path / "third.yaml").exists()
    assert (tmp_path / "penguins.csv").read_text("utf-8") == "mine\n"


def test_names_in_the_file(netbuild: Netbuild, tmp_path: Path) -> None:
    """Commands in comments name the new file. Folders and base files come along."""
    done = netbuild("new", "shapes-net", "--from", "unet-masks", cwd=tmp_path)
    wrote = "wrote shapes-net.yaml, shapes/images and shapes/masks; "
    assert done.stdout == f"{wrote}next: netbuild summary shapes-net.yaml\n"
    text = (tmp_path / "shapes-net.yaml").read_text("utf-8")
    assert "netbuild train shapes-net.yaml\n" in text
    assert "netbuild predict runs/shapes-net shapes/images -o masks/\n" in text
    assert "\nname: shapes-net\n" in text
    assert len(list((tmp_path / "shapes").rglob("*.png"))) == 320
    (tmp_path / "base").mkdir()
    done = netbuild("new", "base/mine", "--from", "torchvision/convnext_small", cwd=tmp_path)
    assert done.stdout.startswith("wrote base/mine.yaml and base/convnext_tiny.yaml;")
    summary = netbuild("summary", "base/mine.yaml", "--depth", "1", cwd=tmp_path)
    assert "50,223,688" in summary.stdout


def test_data_to_bring(netbuild: Netbuild, tmp_path: Path) -> None:
    """A network whose data does not come with netbuild says so."""
    done = netbuild("new", "--from", "gpt", cwd=tmp_path)
    said = "gpt.yaml trains on book.txt, which you have to bring\n"
    assert done.stdout == f"wrote gpt.yaml; next: netbuild summary gpt.yaml\n{said}"


def test_wrong_use(netbuild: Netbuild, tmp_path: Path) -> None:
    """Unknown names are told with a similar one, and nothing is written."""
    for arguments, said in (
        (["--from", "lenett"], "no worked network is called lenett: did you mean lenet?"),
        (["--from", "resnet50"], "is called resnet50: did you mean torchvision/resnet50?"),
        (["--from", "../lenet"], "no worked network is called ../lenet: "),
        ([], "name the new network, or a worked one: --from resnet18"),
        (["x", "--list"], "--list stands alone"),
        (["teacher", "--from", "distilled"], "teacher.yaml would replace a file"),
        (["no/x", "--from", "lenet"], "no/x.yaml cannot be written: No such file"),
    ):
        done = netbuild("new", *arguments, cwd=tmp_path)
        assert done.returncode == 2
        assert said in done.stderr
    assert not list(tmp_path.iterdir())


def test_list(netbuild: Netbuild) -> None:
    """The list has a line for each network."""
    lines = netbuild("new", "--list").stdout.splitlines()
    assert lines[0].split() == ["name", "params", "about"]
    assert any(line.startswith("torchvision/resnet50 ") and "25,557,032" in line for line in lines)
