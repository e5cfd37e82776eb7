"""`onepeace export` and `onepeace verify`. PyTorch is imported only when one of them runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args

from service.repository import Precision

INTERRUPTED = 130  # 128 + SIGINT, as a shell has it
_ROLE_HELP = {
    "checkpoint": "embedding checkpoint: becomes text, image and audio",
    "grounding": "checkpoint fine-tuned on RefCOCO, RefCOCO+ or RefCOCOg",
    "audio_labels": "checkpoint fine-tuned on VGGSound, or (with --multi-label) on FSD50K",
    "vqa": "checkpoint fine-tuned on VQA",
    "audio_qa": "checkpoint fine-tuned on AVQA",
    "image_pair": "checkpoint fine-tuned on NLVR2",
}
_INSTALL = "PyTorch and the export packages are not installed: pip install -e '.[cpu,export]'"


def add_export_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `onepeace export`."""
    parser.add_argument("--bpe-dir", type=Path, required=True, metavar="DIR", help="encoder.json, vocab.bpe, dict.txt")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="model repository to write into")
    _add_checkpoints(parser)
    parser.add_argument("--labels", type=Path, metavar="FILE", help="names of the audio labels: JSON, or one a line")
    parser.add_argument(
        "--multi-label", action="store_true", help="audio labels don't exclude each other (FSD50K): sigmoid, no softmax"
    )
    parser.add_argument("--answers", type=Path, metavar="FILE", help="answers of the VQA model: JSON, or one a line")
    parser.add_argument(
        "--precision", choices=get_args(Precision), default="fp32", help="of the weights (default fp32)"
    )
    parser.add_argument("--no-verify", action="store_true", help="don't run the models against PyTorch at the end")


def add_verify_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `onepeace verify`."""
    parser.add_argument("repository", type=Path, metavar="DIR", help="model repository to check")
    _add_checkpoints(parser)


def run_export(args: argparse.Namespace) -> int:
    """Run `onepeace export`: 0 done, 1 failed (said on stderr), 2 nothing to do, 130 interrupted."""
    checkpoints = _checkpoints(args)
    if not checkpoints:
        return _complain("name at least one checkpoint, such as --checkpoint one-peace.pt", 2)
    for flag, role, file in (("--labels", "audio_labels", args.labels), ("--answers", "vqa", args.answers)):
        if file is not None and role not in checkpoints:
            return _complain(f"{flag} needs --{role.replace('_', '-')}", 2)
    if args.multi_label and "audio_labels" not in checkpoints:
        return _complain("--multi-label needs --audio-labels", 2)
    return _run(lambda: _export(args, checkpoints))


def run_verify(args: argparse.Namespace) -> int:
    """Run `onepeace verify`: 0 all within tolerance, 1 not (or unreadable), 2 nothing to do, 130 interrupted."""
    checkpoints = _checkpoints(args)
    if not checkpoints:
        return _complain("name at least one checkpoint, such as --checkpoint one-peace.pt", 2)
    return _run(lambda: _verify(args.repository, checkpoints))


def _export(args: argparse.Namespace, checkpoints: dict[str, Path]) -> int:
    from export import exporter, verifier

    labels = {role: file for role, file in (("audio_labels", args.labels), ("vqa", args.answers)) if file is not None}
    request = exporter.ExportRequest(
        args.bpe_dir, args.out, checkpoints, labels, args.precision, not args.no_verify, args.multi_label
    )
    try:
        verdicts = exporter.export_repository(request)
    except exporter.VerificationFailed as error:
        print(verifier.HEADER, error, sep="\n")
        return _complain("the exported models differ from PyTorch too much; nothing was written", 1)
    if verdicts:
        print(verifier.HEADER, *(verdict.line() for verdict in verdicts), sep="\n")
    return 0


def _verify(repository: Path, checkpoints: dict[str, Path]) -> int:
    from export import artifact, exporter, verifier
    from service.repository import CARD_FILE, read_card

    print(verifier.HEADER)
    passed = True
    for role, path in checkpoints.items():
        checkpoint = exporter.open_checkpoint(role, path)
        for name in exporter.models_of(role, checkpoint):
            verdict = verifier.verify_model(repository / name, checkpoint)
            print(verdict.line(), flush=True)
            artifact.check_fingerprint(repository / name, read_card(repository / name / CARD_FILE))
            passed = passed and verdict.passed
    return 0 if passed else 1


def _run(command: Callable[[], int]) -> int:
    """Run a command; its exit code. What can go wrong is said in one line."""
    try:
        expected = _expected_errors()
    except ModuleNotFoundError as error:
        return _complain(f"{_INSTALL} ({error.name} is missing)", 1)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    try:
        return command()
    except expected as error:
        return _complain(str(error), 1)
    except KeyboardInterrupt:
        return _complain("interrupted; no model was changed", INTERRUPTED)


def _expected_errors() -> tuple[type[Exception], ...]:
    from export.exporter import ExportError
    from export.one_peace.checkpoint import CheckpointError
    from export.verifier import UnusableModel
    from export.vocabulary import TokenizerError
    from service.repository import RepositoryError

    return CheckpointError, TokenizerError, ExportError, UnusableModel, RepositoryError, OSError


def _add_checkpoints(parser: argparse.ArgumentParser) -> None:
    for role, text in _ROLE_HELP.items():
        parser.add_argument(f"--{role.replace('_', '-')}", dest=role, type=Path, metavar="FILE", help=text)


def _checkpoints(args: argparse.Namespace) -> dict[str, Path]:
    return {role: getattr(args, role) for role in _ROLE_HELP if getattr(args, role) is not None}


def _complain(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code
