"""Does a Triton serve the models of our repository? Names, types, shapes and fingerprint against the cards."""

from __future__ import annotations

from typing import Any

from service.repository import CONTRACTS, ModelFolder


def differences(model: ModelFolder, metadata: Any, config: Any) -> list[str]:
    """What is not the same, each naming both sides; empty when all is.

    `metadata` is Triton's `ModelMetadataResponse` (shapes with the batch axis), `config` its `ModelConfig`.
    """
    contract, card = CONTRACTS[model.name], model.card
    found = []
    for kind, theirs, ours in (
        ("input", metadata.inputs, contract.inputs),
        ("output", metadata.outputs, (contract.output,)),
    ):
        have = sorted(f"{tensor.name} {tensor.datatype} {list(tensor.shape)}" for tensor in theirs)
        want = sorted(f"{tensor.name} {tensor.data_type} {[-1, *card.dims(tensor)]}" for tensor in ours)
        if have != want:
            found.append(f"{kind}s are {', '.join(have)} there and {', '.join(want)} here")
    parameters = config.parameters
    fingerprint = parameters["fingerprint"].string_value if "fingerprint" in parameters else "missing"
    if fingerprint != card.fingerprint:
        found.append(f"the fingerprint is {fingerprint} there and {card.fingerprint} here")
    if config.max_batch_size < model.max_batch_size:
        found.append(f"max_batch_size is {config.max_batch_size} there and {model.max_batch_size} here")
    return found
