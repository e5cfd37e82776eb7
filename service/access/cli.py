"""`onepeace keys`: make a key, check a key file."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path

from service.access.bucket import Rate
from service.access.key_file import NAME, Key, KeyFileError, read_keys
from service.access.scopes import Scope
from service.access.tokens import digest_of, new_token

USE_CASES = tuple(scope for scope in Scope if scope is not Scope.METRICS)


def add_keys_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `new` and `check`."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    new = commands.add_parser(
        "new", help="print a new key on stderr, once, and its table for the key file on stdout", allow_abbrev=False
    )
    new.add_argument("--name", type=_name, required=True, help="in logs and metrics: a-z, 0-9, - and _")
    new.add_argument(
        "--scopes",
        type=_scopes,
        default=USE_CASES,
        metavar="SCOPE,…",
        help=f"of {', '.join(Scope)} (default: all but metrics)",
    )
    new.add_argument("--expires", type=_day_to_come, metavar="YYYY-MM-DD", help="refused from this day on (UTC)")
    for what in ("requests", "items"):
        new.add_argument(f"--{what}-per-second", type=_rate, metavar="N", help=f"more {what} than that: 429")
    new.set_defaults(command=_new)
    check = commands.add_parser("check", help="say what a key file allows, or what is wrong with it")
    check.add_argument("file", type=Path, metavar="FILE")
    check.set_defaults(command=_check)


def _new(options: argparse.Namespace) -> int:
    token = new_token()
    lines = [
        f"[keys.{options.name}]",
        f'sha256 = "{digest_of(token.encode()).hex()}"',
        f"scopes = {json.dumps(options.scopes)}",
    ]
    if options.expires is not None:
        lines.append(f"expires = {options.expires.isoformat()}")
    lines += [
        f"{what} = {{ per_second = {rate:g} }}"
        for what in ("requests", "items")
        if (rate := getattr(options, f"{what}_per_second")) is not None
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
    sys.stderr.write(f"The key of '{options.name}', shown this once and kept nowhere:\n{token}\n")
    return 0


def _check(options: argparse.Namespace) -> int:
    try:
        keys = read_keys(options.file)
    except KeyFileError as error:
        sys.stderr.write(f"onepeace: {error}\n")
        return 1
    for key in keys:
        sys.stdout.write(_described(key) + "\n")
    if not keys:
        sys.stdout.write("no keys: nobody is let in\n")
    return 0


def _described(key: Key) -> str:
    facts = [" ".join(sorted(key.scopes))]
    facts += [f"{what} {_rate_said(rate)}" for what, rate in (("requests", key.requests), ("items", key.items)) if rate]
    if len(key.digests) > 1:
        facts.append(f"{len(key.digests)} hashes")
    if key.expires_s < float("inf"):
        word = "EXPIRED" if key.expires_s <= time.time() else "expires"
        facts.append(f"{word} {datetime.fromtimestamp(key.expires_s, UTC):%Y-%m-%d %H:%M} UTC")
    return f"{key.name}: {'; '.join(facts)}"


def _rate_said(rate: Rate) -> str:
    return f"{rate.per_second:g}/s, burst {rate.burst:g}"


def _name(value: str) -> str:
    if not re.fullmatch(NAME, value):
        raise argparse.ArgumentTypeError(f"'{value}' must have the form {NAME}")
    return value


def _scopes(value: str) -> tuple[Scope, ...]:
    try:
        return tuple(dict.fromkeys(Scope(word.strip()) for word in value.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{value}' must be of {', '.join(Scope)}") from None


def _day_to_come(value: str) -> date:
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{value}' is no date, such as 2027-06-30") from None
    if day <= datetime.now(UTC).date():
        raise argparse.ArgumentTypeError(f"from {day} on (UTC) the key is refused: it would have expired already")
    return day


def _rate(value: str) -> float:
    rate = float(value)
    if not 0 < rate <= 1e6:
        raise argparse.ArgumentTypeError(f"{value} must be above 0, and at most a million")
    return rate
