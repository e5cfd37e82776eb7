from __future__ import annotations

import hashlib

import pytest
import torch

from tests.training.tiny import VOCABULARY_SIZE, picture_batch, settings, sound_batch
from training.models.masking import draw_mask
from training.models.pretraining import freeze_audio, freeze_for_audio
from training.models.start import build_model

OWN_OF_AUDIO = ("adapters.audio.", "ffns.audio.", "final_norms.audio.", "projections.audio.")


def image_model(**changes):
    return build_model(settings(**changes), VOCABULARY_SIZE, 0)


def audio_model(**changes):
    """As the second stage has it, on random weights."""
    model = image_model(**changes)
    model.other = "audio"
    model.requires_grad_(True)
    freeze_for_audio(model)
    return model


def step(model, batch, optimizer, seed=0) -> dict[str, float]:
    losses = model(batch, torch.Generator().manual_seed(seed))
    optimizer.zero_grad()
    sum(losses.values()).backward()
    optimizer.step()
    return {name: loss.item() for name, loss in losses.items()}


def digests(model) -> dict[str, str]:
    return {name: hashlib.sha256(p.detach().numpy().tobytes()).hexdigest() for name, p in model.named_parameters()}


@pytest.mark.parametrize(("build", "make"), [(image_model, picture_batch), (audio_model, sound_batch)])
def test_without_denoising_only_the_contrast_of_the_embedding_model_is_left(build, make):
    model, batch = build(denoising={"rows": 0}), make()
    assert model.denoiser is None
    losses = model(batch, torch.Generator())
    assert set(losses) == {"contrast"}
    embedder = model.embedder
    inputs = (batch.pixels,) if model.other == "image" else (batch.waveform, batch.num_samples)
    texts, others = embedder("text", batch.tokens), embedder(model.other, *inputs)
    logits = embedder.logit_scale.exp() * texts @ others.T
    wanted = -(logits.log_softmax(0).diag() + logits.log_softmax(1).diag()).mean() / 2
    assert torch.allclose(losses["contrast"], wanted, atol=1e-6)


def test_denoising_does_not_touch_the_contrast():
    plain, denoising = image_model(denoising={"rows": 0}), image_model()
    denoising.embedder.load_state_dict(plain.embedder.state_dict())
    batch = picture_batch()
    contrast = [model(batch, torch.Generator().manual_seed(0))["contrast"] for model in (plain, denoising)]
    assert torch.equal(*contrast)


def test_losses_of_each_stage_are_named():
    generator = torch.Generator().manual_seed(0)
    names = {"contrast", "text", "image", "joint_text", "joint_image"}
    assert set(image_model()(picture_batch(), generator)) == names
    # text alone teaches nothing when all of its branch is frozen
    assert set(audio_model()(sound_batch(), generator)) == {"contrast", "audio", "joint_text", "joint_audio"}


def test_the_logit_scale_is_bounded():
    model, batch = image_model(denoising={"rows": 0}), picture_batch()
    model.embedder.logit_scale.data.fill_(50.0)
    high = model(batch, torch.Generator())["contrast"]
    model.embedder.logit_scale.data.fill_(torch.tensor(100.0).log())
    assert torch.allclose(high, model(batch, torch.Generator())["contrast"])


@pytest.mark.parametrize(("build", "make"), [(image_model, picture_batch), (audio_model, sound_batch)])
def test_one_batch_is_learned(build, make):
    model, batch = build(denoising={"rows": 1.0, "layers": 1, "dim": 16, "heads": 2}), make(rows=6)
    optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=3e-3)
    seen = [step(model, batch, optimizer, seed) for seed in range(40)]
    for name, begin in seen[0].items():
        end = sum(losses[name] for losses in seen[-4:]) / 4
        # text through a frozen branch can only be helped by what is heard; the others learn by themselves
        factor = {"contrast": 0.3, "joint_text": 1.0}.get(name, 0.97)
        assert end < factor * begin, (name, begin, end)


def test_a_restored_sequence_has_the_place_of_every_unit():
    model, batch = image_model(), picture_batch()
    embedder = model.embedder
    sequences = {"text": embedder.adapters["text"](batch.tokens), "image": embedder.adapters["image"](batch.pixels)}
    paddings = {"text": sequences["text"].padding, "image": torch.zeros(4, 5, dtype=torch.bool)}
    generator = torch.Generator().manual_seed(0)
    masks = {m: draw_mask(padding, 0.5, 1, generator) for m, padding in paddings.items()}
    features = {m: torch.randn(*mask.kept.shape, 32) for m, mask in masks.items()}
    recovered = model.denoiser(features, masks, paddings)
    assert {m: tuple(x.shape) for m, x in recovered.items()} == {"text": (4, 10, 32), "image": (4, 5, 32)}


def test_what_the_decoder_sees_of_hidden_and_filling_places_is_the_mask_token():
    """Features that only fill a shorter row must not reach any place."""
    model, batch = image_model(), picture_batch()
    padding = model.embedder.adapters["text"](batch.tokens).padding
    mask = draw_mask(padding, 0.5, 1, torch.Generator().manual_seed(0))
    assert mask.kept_padding.any()
    features = torch.randn(*mask.kept.shape, 32)
    other = torch.where(mask.kept_padding.unsqueeze(2), torch.tensor(1e3), features)
    first, second = (model.denoiser({"text": x}, {"text": mask}, {"text": padding})["text"] for x in (features, other))
    assert torch.equal(first[~padding], second[~padding])


def test_the_first_stage_never_touches_audio():
    model = image_model()
    freeze_audio(model)
    optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=1e-2)
    before = digests(model)
    for seed in range(2):
        step(model, picture_batch(seed=seed), optimizer, seed)
    after = digests(model)
    for name, parameter in model.embedder.named_parameters():
        if any(part in name for part in OWN_OF_AUDIO):
            assert not parameter.requires_grad, name
            assert parameter.grad is None, name
            assert before[f"embedder.{name}"] == after[f"embedder.{name}"], name
        else:
            assert parameter.requires_grad, name
            assert before[f"embedder.{name}"] != after[f"embedder.{name}"] or not parameter.grad.any(), name
    for name, parameter in model.denoiser.named_parameters():
        if "audio" in name:
            assert parameter.grad is None, name


def test_the_second_stage_moves_nothing_but_audio_s_own():
    """Shared attention, language and vision stay as they are: arXiv:2305.11172, section 3.4."""
    model = audio_model()
    optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=1e-2)
    before = digests(model)
    for seed in range(3):
        step(model, sound_batch(seed=seed), optimizer, seed)
    after = digests(model)
    moved = {name for name in before if before[name] != after[name]}
    own = {
        name
        for name in before
        if any(part in name for part in OWN_OF_AUDIO) or "logit_scale" in name or name.startswith("denoiser.")
    }
    assert moved <= own
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad == (name in own), name
        if name not in own:
            assert parameter.grad is None, name
    # and all of it learns, but for the decoder's parts of pictures
    assert own - moved == {name for name in own if name.startswith("denoiser.") and "image" in name}


def test_the_second_stage_keeps_vectors_of_texts_and_pictures():
    model, pictures = audio_model(), picture_batch()
    optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=1e-2)

    def vectors():
        with torch.no_grad():
            embedder = model.embedder
            return embedder("text", pictures.tokens), embedder("image", pictures.pixels)

    before = vectors()
    for seed in range(2):
        step(model, sound_batch(seed=seed), optimizer, seed)
    assert all(torch.equal(*pair) for pair in zip(before, vectors(), strict=True))


def test_only_every_nth_pass_denoises():
    model, batch = image_model(denoising={"rows": 0.5, "every": 3, "layers": 1, "dim": 16, "heads": 2}), picture_batch()
    denoised = ["image" in model(batch, torch.Generator().manual_seed(0), number) for number in range(7)]
    assert denoised == [True, False, False, True, False, False, True]
