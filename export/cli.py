"""`onepeace export` and `onepeace verify`. PyTorch is imported only when one of them runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args

from export.target import TargetOptions
from export.triton.cli import TargetError, add_target_arguments, target_options, trtexec_commands
from service.repository import CONTRACTS, Precision

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
_INSTALL_TRITON = "packages are not installed: pip install -e '.[cpu,triton]'"
_NO_CHECKPOINT = "name at least one checkpoint, such as --checkpoint one-peace.pt"


def add_export_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `onepeace export`."""
    parser.add_argument("--bpe-dir", type=Path, metavar="DIR", help="encoder.json, vocab.bpe, dict.txt")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="model repository to write into")
    _add_checkpoints(parser)
    parser.add_argument("--labels", type=Path, metavar="FILE", help="names of the audio labels: JSON, or one a line")
    parser.add_argument(
        "--multi-label", action="store_true", help="audio labels don't exclude each other (FSD50K): sigmoid, no softmax"
    )
    parser.add_argument("--answers", type=Path, metavar="FILE", help="answers of the VQA model: JSON, or one a line")
    parser.add_argument("--precision", choices=get_args(Precision), help="of the weights (default fp32)")
    parser.add_argument(
        "--no-verify", action="store_true", help="don't hold models against PyTorch, nor plans against ONNX Runtime"
    )
    add_target_arguments(parser)


def add_verify_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `onepeace verify`."""
    parser.add_argument("repository", type=Path, metavar="DIR", help="model repository to check")
    parser.add_argument(
        "--plans", action="store_true", help="hold its TensorRT plans for this GPU against ONNX Runtime"
    )
    _add_checkpoints(parser)


def run_export(args: argparse.Namespace) -> int:
    """Run `onepeace export`: 0 done, 1 failed (said on stderr), 2 nothing to do, 130 interrupted."""
    checkpoints = _checkpoints(args)
    try:
        target = target_options(args)
    except TargetError as error:
        return _complain(str(error), 2)
    if args.repository is not None and target is not None:
        if checkpoints:
            return _complain("--repository and checkpoints exclude each other", 2)
        return _run(lambda: _retarget(args, target), _variant_errors, _INSTALL_TRITON)
    if not checkpoints:
        return _complain(_NO_CHECKPOINT, 2)
    if args.bpe_dir is None:
        return _complain("checkpoints need --bpe-dir, the folder of the vocabulary", 2)
    for flag, role, file in (("--labels", "audio_labels", args.labels), ("--answers", "vqa", args.answers)):
        if file is not None and role not in checkpoints:
            return _complain(f"{flag} needs --{role.replace('_', '-')}", 2)
    if args.multi_label and "audio_labels" not in checkpoints:
        return _complain("--multi-label needs --audio-labels", 2)
    return _run(lambda: _export(args, checkpoints, target), _export_errors, _INSTALL)


def run_verify(args: argparse.Namespace) -> int:
    """Run `onepeace verify`: 0 all within tolerance, 1 not (or unreadable), 2 nothing to do, 130 interrupted."""
    checkpoints = _checkpoints(args)
    if args.plans:
        return _run(lambda: _verify_plans(args.repository), _variant_errors, _INSTALL_TRITON)
    if not checkpoints:
        return _complain(_NO_CHECKPOINT, 2)
    return _run(lambda: _verify(args.repository, checkpoints), _export_errors, _INSTALL)


def _retarget(args: argparse.Namespace, target: TargetOptions) -> int:
    from export.triton import variant

    names = variant.write_variant(args.repository, args.out, target, print)
    _print_commands(args, names, target)
    return 0


def _print_commands(args: argparse.Namespace, names: list[str], target: TargetOptions) -> None:
    if args.print_trtexec:
        print(*trtexec_commands(args.out, names, target), sep="\n")


def _export(args: argparse.Namespace, checkpoints: dict[str, Path], target: TargetOptions | None) -> int:
    from export import agreement, exporter

    labels = {role: file for role, file in (("audio_labels", args.labels), ("vqa", args.answers)) if file is not None}
    request = exporter.ExportRequest(
        args.bpe_dir,
        args.out,
        checkpoints,
        labels,
        args.precision or "fp32",
        not args.no_verify,
        args.multi_label,
        target,
    )
    try:
        verdicts = exporter.export_repository(request, print)
    except exporter.VerificationFailed as error:
        print(agreement.HEADER, error, sep="\n")
        return _complain("the exported models differ from PyTorch too much; nothing was written", 1)
    if verdicts:
        print(agreement.HEADER, *(verdict.line() for verdict in verdicts), sep="\n")
    if target is not None:
        _print_commands(args, [name for name in CONTRACTS if (args.out / name).is_dir()], target)
    return 0


def _verify(repository: Path, checkpoints: dict[str, Path]) -> int:
    from export import agreement, exporter, verifier
    from service.fingerprint import check_fingerprint
    from service.repository import CARD_FILE, read_card

    print(agreement.HEADER)
    passed = True
    for role, path in checkpoints.items():
        checkpoint = exporter.open_checkpoint(role, path)
        for name in exporter.models_of(role, checkpoint):
            verdict = verifier.verify_model(repository / name, checkpoint)
            print(verdict.line(), flush=True)
            check_fingerprint(repository / name, read_card(repository / name / CARD_FILE))
            passed = passed and verdict.passed
    return 0 if passed else 1


def _verify_plans(repository: Path) -> int:
    from export.agreement import HEADER
    from export.tensorrt.plan_shop import verify_plans

    verdicts = list(verify_plans(repository))
    print(HEADER, *(verdict.line() for verdict in verdicts), sep="\n")
    return 0 if all(verdict.passed for verdict in verdicts) else 1


def _run(command: Callable[[], int], errors: Callable[[], tuple[type[Exception], ...]], install: str) -> int:
    """Run a command; its exit code. What can go wrong is said in one line."""
    try:
        expected = errors()
    except ModuleNotFoundError as error:
        return _complain(f"{install} ({error.name} is missing)", 1)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    try:
        return command()
    except ModuleNotFoundError as error:
        return _complain(f"{install} ({error.name} is missing)", 1)
    except expected as error:
        return _complain(str(error), 1)
    except KeyboardInterrupt:
        return _complain("interrupted; no model was changed", INTERRUPTED)


def _export_errors() -> tuple[type[Exception], ...]:
    from export.exporter import ExportError
    from export.one_peace.checkpoint import CheckpointError
    from export.vocabulary import TokenizerError

    return CheckpointError, TokenizerError, ExportError, *_variant_errors()


def _variant_errors() -> tuple[type[Exception], ...]:
    from export.agreement import UnusableModel
    from export.tensorrt.binding import PlanError, TensorRTMissing
    from export.tensorrt.device import DeviceError
    from export.tensorrt.eligibility import UnsupportedModel
    from export.tensorrt.plan_shop import PlansMissing
    from service.repository import RepositoryError

    tensorrt = TensorRTMissing, DeviceError, UnsupportedModel, PlanError, PlansMissing
    return UnusableModel, RepositoryError, OSError, *tensorrt


def _add_checkpoints(parser: argparse.ArgumentParser) -> None:
    for role, text in _ROLE_HELP.items():
        parser.add_argument(f"--{role.replace('_', '-')}", dest=role, type=Path, metavar="FILE", help=text)


def _checkpoints(args: argparse.Namespace) -> dict[str, Path]:
    return {role: getattr(args, role) for role in _ROLE_HELP if getattr(args, role) is not None}


def _complain(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code
