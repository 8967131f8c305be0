"""What reading data leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `datasets` keeps goes where the test's files are."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


@pytest.fixture
def nothing_is_left(cache: None, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Any:  # noqa: ARG001  it comes first
    """Nothing is printed, and nothing is written where the process runs."""
    yield
    assert capfd.readouterr() == ("", "")
    assert not list((tmp_path / "work").iterdir())
