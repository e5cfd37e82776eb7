"""What pages say beside their examples: nothing is left out, and names exist."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

import pytest
from google.protobuf.descriptor import Descriptor

from onepeace_client import errors
from service.rpc.generated import onepeace_pb2 as pb
from tests.docs.page import PAGES, ROOT, Page

README, CLIENT, GRPC, OPENAI = map(Page, ("README.md", "client/README.md", "docs/grpc.md", "docs/openai.md"))
FOLLOWED = [CLIENT, Page("docs/bulk.md"), GRPC, OPENAI]
"""Pages on which all that can be typed is run, but for `CHANGES_THE_MACHINE`."""
CHANGES_THE_MACHINE = "pip install "
LANGUAGES = {"console", "sh", "python", "text", "go", ""}
LOCKED = dict(re.findall(r"^(.+)==(.+)$", (ROOT / "requirements.lock").read_text(), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_example_is_run(page: Page) -> None:
    text = page.text()
    assert page.commands() or page.programs()
    assert page.languages() <= LANGUAGES
    typed = "\n".join(page.blocks("console"))
    assert text.count("\n$ ") == len(re.findall(r"^\$ ", typed, re.MULTILINE))
    assert len(re.findall(r"^(?:\$ )?curl ", text, re.MULTILINE)) == len(re.findall(r"^\$ curl ", typed, re.MULTILINE))


@pytest.mark.parametrize("page", FOLLOWED, ids=lambda page: page.name)
def test_what_is_not_run_only_installs(page: Page) -> None:
    lines = [line for block in page.blocks("") for line in block.splitlines()]
    assert [line for line in lines if not line.startswith(CHANGES_THE_MACHINE)] == []


def test_extras_that_pages_install_exist() -> None:
    packages = {".": ROOT / "pyproject.toml", "./client": ROOT / "client" / "pyproject.toml"}
    texts = [path.read_text(encoding="utf-8") for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]]
    named = re.findall(r"pip install .*?'(\.|\./client)\[([\w,]+)\]'", "\n".join([*texts, CLIENT.text()]))
    assert named
    for package, extras in named:
        known = tomllib.loads(packages[package].read_text())["project"]["optional-dependencies"]
        assert set(extras.split(",")) <= known.keys()


def test_pages_install_extras_of_the_service_without_copying_it() -> None:
    """A copy would take the place of the working tree, which `make serve` installs, and grow old."""
    texts = [path.read_text(encoding="utf-8") for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]]
    lines = [line for text in texts for line in re.findall(r"pip install .*'\.\[.*", text)]
    assert lines
    assert [line for line in lines if "-e '.[" not in line] == []


def test_the_readme_has_an_example_of_every_endpoint() -> None:
    typed = " ".join(command.line for command in README.commands())
    for path in ("/embed", "/similarity", "/ground", "/classify", "/audio/labels", "/info"):
        assert f"localhost:8000{path}" in typed


def test_the_page_on_openai_has_examples_of_each_client() -> None:
    assert len(OPENAI.commands()) >= 4
    for module in ("openai", "langchain_openai", "llama_index.embeddings.openai"):
        assert any(f"from {module} import" in program.code for program in OPENAI.programs())


@pytest.mark.parametrize("client", ["openai", "langchain-openai", "llama-index-embeddings-openai"])
def test_the_page_on_openai_names_the_versions_that_are_tested(client: str) -> None:
    assert f"| {client} {LOCKED[client]} |" in OPENAI.text()


def test_the_clients_readme_names_every_error() -> None:
    named = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    assert all(name in CLIENT.text() for name in named)


def test_the_page_on_grpc_calls_go_by_names_that_the_proto_has() -> None:
    """protoc-gen-go's names: https://protobuf.dev/reference/go/go-generated/."""
    (code,) = GRPC.blocks("go")
    service = pb.DESCRIPTOR.services_by_name["OnePeaceService"]
    messages = pb.DESCRIPTOR.message_types_by_name.values()
    types = {f"New{service.name}Client", *(message.name for message in messages)}
    types |= {f"{message.name}_{name}" for message in messages for name in oneof_members(message)}
    fields = {name for message in messages for name in (*map(camel, message.fields_by_name), *oneofs(message))}
    called, used, filled = (re.findall(form, code) for form in (r"client\.(\w+)\(", r"pb\.(\w+)", r"(\w+): "))
    assert called
    assert used
    assert filled
    assert set(called) <= set(service.methods_by_name)
    assert set(used) <= types
    assert set(filled) <= fields


def oneofs(message: Descriptor) -> Iterator[str]:
    return (camel(oneof.name) for oneof in message.oneofs if not oneof.name.startswith("_"))


def oneof_members(message: Descriptor) -> Iterator[str]:
    return (camel(field.name) for oneof in message.oneofs for field in oneof.fields)


def camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
