"""The `onepeace` command: serve, info, openapi, embed, embed-files, keys, eval; with PyTorch train, export, verify."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from pydantic import SecretStr

from service import __version__
from service.errors import InvalidRequest, ServiceError
from service.settings import ENV_PREFIX, AddressError, Settings, SettingsError, load_settings, quiet_grpc

STDERR = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 when it did what was asked, 1 when it failed, 2 for wrong arguments or settings.
    """
    _fill_standard_streams()
    quiet_grpc()
    from service.repository import RepositoryError  # imports grpc, which has to find it quiet

    options = _parser().parse_args(arguments)
    try:
        code: int = options.command(options)
    except AddressError as error:
        return _complain(str(error), 2)
    except SettingsError as error:
        return _complain(f"wrong setting:\n{error}", 2)
    except (RepositoryError, InvalidRequest, ServiceError) as error:
        return _complain(_explain(error), 1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _fill_standard_streams() -> None:
    """Have streams that the caller closed lead nowhere: connections would get their numbers, and log lines too."""
    number = os.open(os.devnull, os.O_RDWR)
    while number <= STDERR:
        os.set_inheritable(number, True)
        number = os.dup(number)
    os.close(number)
    if sys.stderr is None:
        sys.stderr = os.fdopen(STDERR, "w", closefd=False)


def _parser() -> argparse.ArgumentParser:
    from export import cli as export_cli
    from service.access import cli as keys_cli
    from service.bulk import cli as bulk_cli
    from training import cli as training_cli
    from training.evaluation import cli as evaluation_cli

    parser = argparse.ArgumentParser(prog="onepeace", description="ONE-PEACE Server", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="start the service", allow_abbrev=False)
    add_settings(serve)
    serve.set_defaults(command=_serve)
    info = commands.add_parser("info", help="print what the model repository holds, as JSON")
    add_settings(info)
    info.set_defaults(command=_info)
    openapi = commands.add_parser("openapi", help="print the OpenAPI document of the REST interface")
    openapi.set_defaults(command=_openapi)
    embed = commands.add_parser("embed", help="embed files and texts without a server; prints JSON")
    embed.add_argument("inputs", nargs="+", metavar="FILE_OR_TEXT", help="a file's path, or else a text")
    add_settings(embed)
    embed.set_defaults(command=_embed)
    bulk = commands.add_parser("embed-files", help="embed a folder, a table or archives into Parquet")
    bulk_cli.add_bulk_arguments(bulk)
    add_settings(bulk)
    bulk.set_defaults(command=lambda options: bulk_cli.run_bulk(options, _settings(options)))
    keys = commands.add_parser("keys", help="make the keys that callers need, check a key file")
    keys_cli.add_keys_arguments(keys)
    train = commands.add_parser("train", help="train or fine-tune a model (needs PyTorch)")
    training_cli.add_train_arguments(train)
    train.set_defaults(command=training_cli.run_train)
    export = commands.add_parser(
        "export", help="write a model repository, from checkpoints (needs PyTorch) or for Triton"
    )
    export_cli.add_export_arguments(export)
    export.set_defaults(command=export_cli.run_export)
    verify = commands.add_parser("verify", help="hold a model repository against PyTorch (needs PyTorch)")
    export_cli.add_verify_arguments(verify)
    verify.set_defaults(command=export_cli.run_verify)
    evaluate = commands.add_parser("eval", help="measure a server or a model repository on a benchmark")
    evaluation_cli.add_eval_arguments(evaluate)
    evaluate.set_defaults(command=evaluation_cli.run_eval)
    return parser


def add_settings(parser: argparse.ArgumentParser) -> None:
    """One flag for each setting, documented by its description."""
    for name, field in Settings.model_fields.items():
        if field.annotation is SecretStr:  # a command line is for all to see
            continue
        parser.add_argument(
            "--" + name.replace("_", "-"),
            dest="setting_" + name,
            metavar=name.rpartition("_")[2].upper(),
            help=f"{field.description} [{ENV_PREFIX}{name.upper()}; default {field.default}]".replace("%", "%%"),
        )


def _settings(options: argparse.Namespace) -> Settings:
    flags: dict[str, Any] = {}
    for name in Settings.model_fields:
        value = getattr(options, "setting_" + name, None)
        if value is not None:
            flags[name] = value
    return load_settings(flags)


def _serve(options: argparse.Namespace) -> int:
    from service.server import serve

    return serve(_settings(options))


def _info(options: argparse.Namespace) -> int:
    from service.handlers.info import describe
    from service.runtime import Runtime

    _print(describe(Runtime(_settings(options))))
    return 0


def _openapi(options: argparse.Namespace) -> int:  # noqa: ARG001 (the signature of a command)
    from service.app import api_document

    _print(api_document())
    return 0


def _embed(options: argparse.Namespace) -> int:
    return asyncio.run(_embed_inputs(options.inputs, _settings(options)))


async def _embed_inputs(inputs: Sequence[str], settings: Settings) -> int:
    from service.context import Stages
    from service.runtime import Runtime
    from service.usecases.results import EmbedResult
    from service.wire.answers import embed_body

    try:
        items = [_item(value) for value in inputs]
    except OSError as error:
        return _complain(f"can't read {error.filename or 'a file'}: {error.strerror}", 1)
    runtime = Runtime(settings)
    await runtime.start()
    try:
        embedded = await runtime.embedder.embed_all(items, Stages())
        _print(embed_body(EmbedResult(runtime.source, runtime.space.dimensions, "float", items, embedded)))
    finally:
        await runtime.close()
    return 0


def _item(value: str) -> Any:
    from service.bulk.loader import AUDIO_SUFFIXES, IMAGE_SUFFIXES
    from service.media.sound_container import sniff_container
    from service.usecases.items import AudioItem, ImageItem, TextItem

    path = Path(value)
    try:
        is_file = path.is_file()
    except (OSError, ValueError):  # a text too long for a path, or with a NUL byte
        is_file = False
    if not is_file:
        if path.suffix.lower() in IMAGE_SUFFIXES | AUDIO_SUFFIXES and " " not in value:
            sys.stderr.write(f"onepeace: no file '{value}': embedding these words as a text\n")
        return TextItem(value, value)
    data = path.read_bytes()
    return (AudioItem if sniff_container(data) else ImageItem)(data, value)


def _print(value: object) -> None:
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_INDENT_2) + b"\n")
    sys.stdout.buffer.flush()


def _explain(error: Exception) -> str:
    if isinstance(error, InvalidRequest):
        return "\n".join(f"{item.pointer}: {item.detail}" for item in error.errors)
    return str(error)


def _complain(message: str, code: int) -> int:
    sys.stderr.write(f"onepeace: {message}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
