"""`onepeace eval`. What it runs is imported only then."""

from __future__ import annotations

import argparse
import math
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from service.arguments import whole_number

if TYPE_CHECKING:
    from training.evaluation.catalogue import Request
    from training.evaluation.model import EvaluatedModel

SUMMARIES = {
    "imagenet": "pictures in val/<wnid>/: zero-shot accuracy",
    "folders": "your own files, one folder for each class: zero-shot accuracy",
    "coco": "captioned pictures, Karpathy's test part or captions_*.json: R@k both ways",
    "flickr30k": "captioned pictures, dataset_flickr30k.json or the token file: R@k both ways",
    "refcoco": "phrases with boxes, split val, testA or testB: Acc@0.5",
    "refcoco+": "the same, without words of place",
    "refcocog": "the same, longer phrases, split val or test",
    "esc50": "sounds, all or one fold: zero-shot accuracy",
    "vggsound": "sounds: the trained head's accuracy and mAP",
    "fsd50k": "sounds with several labels each: the trained head's mAP",
    "audiocaps": "captioned sounds: R@k both ways",
    "clotho": "captioned sounds: R@k both ways",
    "tsv-labels": "a table of files with labels: zero-shot accuracy",
    "tsv-captions": "a table of files with captions: R@k both ways",
    "tsv-regions": "a table of pictures with phrases and regions: Acc@0.5",
    "cross": "sounds to pictures of the same label: R@k",
    "composed": "a sound and a colour word together to a picture: R@1",
    "made": "this project's own test split: all of these",
}
_INSTALL = "the evaluation packages are not installed: pip install -e '.[cpu,eval]' ./client"
INTERRUPTED = 130  # 128 + SIGINT, as a shell has it


def add_eval_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `onepeace eval`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    width = max(map(len, SUMMARIES)) + 2
    parser.epilog = "benchmarks:\n" + "\n".join(f"  {name:{width}}{text}" for name, text in SUMMARIES.items())
    parser.add_argument("benchmark", metavar="BENCHMARK", choices=list(SUMMARIES), help="one of those below")
    parser.add_argument("data", type=Path, metavar="DATA", help="the benchmark's folder or file")
    model = parser.add_mutually_exclusive_group()
    model.add_argument("--server", metavar="URL", help="ask a running server: http://… or grpc://…")
    model.add_argument(
        "--model-repository",
        type=Path,
        metavar="DIR",
        help="run a model repository in this process [default: as `onepeace serve`]",
    )
    _add_data_arguments(parser)
    _add_task_arguments(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers as JSON")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a report with pictures")


def _add_data_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--split", help="part of the benchmark [default: the one that papers report]")
    parser.add_argument("--media", type=Path, metavar="DIR", help="folder of the pictures or sounds, if elsewhere")
    parser.add_argument("--class-names", type=Path, metavar="FILE", help="words for the classes (imagenet, folders)")
    parser.add_argument("--limit", type=whole_number(1), metavar="N", help="at most N queries, spread over the data")


def _add_task_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--template", action="append", default=[], metavar="TEXT", help="a prompt with {} for the class; repeatable"
    )
    parser.add_argument("--templates-file", type=Path, metavar="FILE", help="prompts, one a line")
    parser.add_argument("--by", choices=["prompts", "head"], help="what labels sounds: prompts, or the trained head")
    parser.add_argument(
        "--seed", type=whole_number(0), default=0, metavar="N", help="of the random galleries (default 0)"
    )
    parser.add_argument(
        "--galleries", type=whole_number(1), default=10, metavar="N", help="random galleries (default 10)"
    )
    parser.add_argument(
        "--sound-weight", type=_weight, default=1.0, metavar="W", help="of the sound beside the text's 1 (default 1)"
    )


def run_eval(args: argparse.Namespace) -> int:
    """Run `onepeace eval`: 0 done, 1 failed (said on stderr), 2 wrong arguments, 130 interrupted."""
    try:
        from training.evaluation.dataset import DataError
        from training.evaluation.model import ModelError

        request = _request(args)
    except ModuleNotFoundError as error:
        return _complain(f"{_INSTALL} ({error.name} is missing)", 1)
    except (UsageError, DataError) as error:
        return _complain(str(error), 2)
    try:
        return _evaluate(args, request)
    except ModuleNotFoundError as error:
        return _complain(f"{_INSTALL} ({error.name} is missing)", 1)
    except (DataError, ModelError, OSError) as error:
        return _complain(str(error), 1)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)


class UsageError(Exception):
    """The arguments are wrong."""


def _request(args: argparse.Namespace) -> Request:
    from training.evaluation.benchmarks.rows import ReadOptions
    from training.evaluation.catalogue import Request
    from training.evaluation.prompts import check_templates, read_templates
    from training.evaluation.tasks.result import TaskOptions

    if not args.data.exists():
        raise UsageError(f"{args.data}: no such file or folder")
    for file in (args.json, args.html):
        if file is not None and (file.is_dir() or not file.resolve().parent.is_dir()):
            raise UsageError(f"{file}: can't be written, because it is a folder or its folder is not there")
    templates = check_templates(args.template)
    if args.templates_file is not None:
        templates += read_templates(args.templates_file)
    files = ReadOptions(args.data, args.split, args.media, args.class_names)
    options = TaskOptions(templates, args.seed, args.galleries, args.sound_weight)
    return Request(files, options, args.limit, args.by)


def _evaluate(args: argparse.Namespace, request: Request) -> int:
    from training.evaluation.catalogue import PREPARATIONS
    from training.evaluation.report.html import html_report
    from training.evaluation.report.record import Record, json_record
    from training.evaluation.report.terminal import table
    from training.evaluation.tasks.result import Result

    measure = PREPARATIONS[args.benchmark](request)
    started = datetime.now(UTC)
    model = _open_model(args)
    try:
        outcomes = list(measure(model))
        info = model.info()
    finally:
        model.close()
    record = Record(
        benchmark=args.benchmark,
        data=args.data,
        split=args.split,
        limit=args.limit,
        started=started,
        info=info,
        results=tuple(outcome for _, outcome in outcomes if isinstance(outcome, Result)),
        left_out={title: outcome for title, outcome in outcomes if isinstance(outcome, str)},
    )
    print(table(record))
    if args.json is not None:
        args.json.write_bytes(json_record(record))
    if args.html is not None:
        args.html.write_text(html_report(record), encoding="utf-8")
    return 0


def _open_model(args: argparse.Namespace) -> EvaluatedModel:
    if args.server is not None:
        from service.settings import load_settings
        from training.evaluation.server_model import ServerModel

        return ServerModel(args.server, api_key=load_settings().api_key.get_secret_value() or None)
    from training.evaluation.repository_model import RepositoryModel

    return RepositoryModel(args.model_repository)


def _weight(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a finite number above 0, not '{value}'")
    return number


def _complain(message: str, code: int) -> int:
    print(f"onepeace eval: {message}", file=sys.stderr)
    return code
