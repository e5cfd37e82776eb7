"""`onepeace train`, as it is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.cli import main
from tests.training.tiny import write_pictures, write_run


def test_a_run_is_trained_and_its_checkpoint_written(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run.yaml", write_pictures(tmp_path / "pictures"), steps=2)
    assert main(["train", str(run)]) == 0
    assert (tmp_path / "run" / "model.pt").is_file()


@pytest.mark.parametrize(("content", "word"), [(None, "can't be read"), ("steps: few", "steps")])
def test_a_run_that_can_t_start_is_said_in_a_line(
    content: str | None, word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / "run.yaml").write_text(content)
    assert main(["train", str(tmp_path / "run.yaml")]) == 2
    said = capsys.readouterr().err
    assert word in said
    assert "Traceback" not in said
