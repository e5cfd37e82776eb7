"""The part of `onepeace export` that writes repositories for Triton."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import get_args

from export.target import (
    ENGINE_CACHE,
    TIMING_CACHE,
    Accelerator,
    PlanOptions,
    Target,
    TargetOptions,
    parse_instances,
)

NATIVE = "native"


class TargetError(Exception):
    """The arguments don't fit each other; the message says which."""


def add_target_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that choose what Triton runs the models with."""
    group = parser.add_argument_group("for Triton (docs/triton.md)")
    add = group.add_argument
    add("--target", choices=(NATIVE, *get_args(Target)), default=NATIVE, help="what to write (default native)")
    add("--repository", type=Path, metavar="DIR", help="start from this repository, without checkpoints or PyTorch")
    add(
        "--accelerator",
        choices=get_args(Accelerator),
        default="cuda",
        help="what ONNX Runtime computes with (default cuda)",
    )
    add(
        "--instances",
        action="append",
        default=[],
        metavar="[MODEL=]N",
        help="instances on each GPU; each loads its own weights (default 1; repeatable)",
    )
    add("--threads", type=int, default=1, metavar="N", help="CPU threads of one ONNX Runtime instance (default 1)")
    add("--queue-delay-us", type=int, metavar="N", help="how long Triton waits for more rows (default: as it was)")
    add("--engine-cache", default=ENGINE_CACHE, metavar="DIR", help=f"on the server, of tensorrt ({ENGINE_CACHE})")
    add("--workspace-gib", type=int, default=4, metavar="N", help="GPU memory of one TensorRT kernel (default 4)")
    _add_plan_arguments(parser)


def _add_plan_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("for triton-tensorrt").add_argument
    add("--no-build", action="store_true", help="use only plans that lie in the repository")
    add("--require-plans", action="store_true", help="fail where a model has no plan, instead of ONNX Runtime")
    add("--tensorrt-version", metavar="V", help="use plans of this version (default: the installed one's)")
    add("--compute-capability", metavar="CC", help="of the GPU that --print-trtexec is for, such as 9.0")
    add("--timing-cache", type=Path, default=TIMING_CACHE, metavar="DIR", help=f"of the builder ({TIMING_CACHE})")
    add("--print-trtexec", action="store_true", help="print the commands that build the plans elsewhere; no build")


def target_options(args: argparse.Namespace) -> TargetOptions | None:
    """What the arguments ask for; None for the native repository.

    Raises:
        TargetError: an argument has no meaning here, or a wrong value.
    """
    if args.target == NATIVE:
        if args.repository is not None:
            raise TargetError("--repository needs --target triton-onnx or triton-tensorrt")
        return None
    _check(args)
    plans = PlanOptions(
        build=not (args.no_build or args.print_trtexec),
        required=args.require_plans,
        verify=not args.no_verify,
        tensorrt_version=args.tensorrt_version,
        compute_capability=args.compute_capability,
        timing_cache=args.timing_cache,
    )
    try:
        instances = parse_instances(args.instances)
    except ValueError as error:
        raise TargetError(f"--instances: {error}") from error
    return TargetOptions(
        target=args.target,
        accelerator=args.accelerator,
        instances=instances,
        threads=args.threads,
        queue_delay_us=args.queue_delay_us,
        engine_cache=args.engine_cache,
        workspace_gib=args.workspace_gib,
        plans=plans,
    )


def _check(args: argparse.Namespace) -> None:
    if min(args.threads, args.workspace_gib) < 1 or (args.queue_delay_us or 0) < 0:
        raise TargetError("--threads and --workspace-gib start at 1, --queue-delay-us at 0")
    if args.print_trtexec and args.target != "triton-tensorrt":
        raise TargetError("--print-trtexec needs --target triton-tensorrt")
    if args.print_trtexec and not (args.tensorrt_version and args.compute_capability):
        raise TargetError("--print-trtexec needs --tensorrt-version and --compute-capability, which name the plans")
    if args.repository is not None and args.precision is not None:
        raise TargetError("--precision is the checkpoints' export's; a repository keeps the precision that it has")
    if args.target != "triton-tensorrt" and (args.require_plans or args.no_build):
        raise TargetError("--require-plans and --no-build need --target triton-tensorrt")
    if not args.engine_cache.startswith("/"):
        raise TargetError(f"--engine-cache is an absolute path on the server; '{args.engine_cache}' is not")
    for flag, value, form, example in (
        ("--compute-capability", args.compute_capability, r"[0-9]+\.[0-9]", "9.0"),
        ("--tensorrt-version", args.tensorrt_version, r"[0-9]+(\.[0-9]+){2,3}", "10.16.1.11"),
    ):
        if value is not None and not re.fullmatch(form, value):
            raise TargetError(f"{flag}: '{value}' is not of the form {example}")


def trtexec_commands(out_dir: Path, names: list[str], options: TargetOptions) -> list[str]:
    """What builds the plans of a written repository; then `--no-build` on the same folder takes them up."""
    from export.tensorrt.plan_file import PlanKey, plan_digest
    from export.tensorrt.trtexec import trtexec_command
    from service.repository import read_model

    commands = []
    for name in names:
        model = read_model(out_dir / name)
        key = PlanKey(str(options.plans.tensorrt_version), str(options.plans.compute_capability), plan_digest(model))
        commands.append(trtexec_command(model, key, options.workspace_gib))
    return commands
