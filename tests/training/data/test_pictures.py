from colorsys import rgb_to_hsv
from io import BytesIO
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from tests.training.data.emoji_font import needs_font
from training.data.concepts import concept_table
from training.data.pictures import glyphs
from training.data.pictures.backgrounds import FAMILIES, palettes, patterns
from training.data.pictures.camera import encode_jpeg
from training.data.pictures.captions import write_caption
from training.data.pictures.clutter import marks
from training.data.pictures.picture import draw_pose, make_coloured_picture, make_picture
from training.data.pictures.stamp import Pose, forms_of, make_stamp
from training.data.pictures.variation import cuts
from training.data.splits import SPLITS, example_generator

TABLE = concept_table()


@needs_font
@pytest.mark.parametrize("make", [make_picture, make_coloured_picture])
@pytest.mark.parametrize("split", SPLITS)
def test_same_arguments_give_the_same_bytes(make, split):
    first, again = make(3, split, 5), make(3, split, 5)
    assert first.image.mode == "RGB"
    assert first.image.size == (160, 160)
    assert first.image.tobytes() == again.image.tobytes()
    assert (first.text, first.label, first.colour) == (again.text, again.label, again.colour)


@needs_font
def test_seed_split_and_number_each_make_another_picture():
    keys = [(0, "train", 0), (1, "train", 0), (0, "test", 0), (0, "train", 69)]
    assert len({make_picture(*key).image.tobytes() for key in keys}) == 4


@pytest.mark.parametrize("table", [cuts, palettes, patterns, marks])
def test_splits_share_no_variation(table):
    for one, other in combinations(SPLITS, 2):
        assert not set(table(one)) & set(table(other))
    assert len(set(table("train"))) >= 24


def test_the_wide_stock_shares_no_palette_with_any_split():
    wide = set(palettes("train", True))
    assert len(wide) == 800
    assert not any(wide & set(palettes(split)) for split in SPLITS)


@needs_font
def test_wide_pictures_show_the_same_on_other_backgrounds():
    for number in range(6):
        usual, wide = make_picture(0, "train", number), make_picture(0, "train", number, wide=True)
        assert (usual.text, usual.label, usual.colour) == (wide.text, wide.label, wide.colour)
        assert usual.image.tobytes() != wide.image.tobytes()


@pytest.mark.parametrize("split", SPLITS)
def test_every_split_has_every_family_of_backgrounds(split):
    assert {pattern.family for pattern in patterns(split)} == set(FAMILIES)


@pytest.mark.parametrize("field", ["stretch", "shear"])
def test_splits_cover_similar_ranges(field):
    spans = {split: [getattr(cut, field) for cut in cuts(split)] for split in SPLITS}
    whole = max(spans["train"]) - min(spans["train"])
    for split in ("validation", "test"):
        assert max(spans[split]) - min(spans[split]) > 0.7 * whole


@needs_font
@pytest.mark.parametrize("concept", TABLE.things, ids=lambda concept: concept.name)
def test_every_glyph_renders(concept):
    for form in forms_of(concept):
        pixels = np.asarray(form.levels[0].convert("RGBA"))
        seen = pixels[pixels[..., 3] >= glyphs.OPAQUE][:, :3]
        assert len(seen) > 1500
        assert seen.max() > 60


@needs_font
def test_no_two_glyphs_look_alike():
    glyph_forms = [form for concept in TABLE.things for form in forms_of(concept)]
    assert len({form.levels[0].tobytes() for form in glyph_forms}) == len(glyph_forms)


@needs_font
@pytest.mark.parametrize("name", TABLE.colours)
def test_tinted_things_have_the_hue_of_their_colour(name):
    wanted = _hue(TABLE.colours[name])
    for concept in (*TABLE.things, *TABLE.shapes):
        for form in forms_of(concept):
            pose = Pose(100.0, 10.0, mirrored=False)
            stamp = make_stamp(form, TABLE.colours[name], pose, cuts("train")[0])
            pixels = np.asarray(stamp.image)
            mean = pixels[np.asarray(stamp.opaque)][:, :3].mean(axis=0)
            assert abs((_hue(mean) - wanted + 180) % 360 - 180) < 6, concept.name
            assert mean.max() > 0.55 * max(TABLE.colours[name]), concept.name


def _hue(rgb):
    return 360 * rgb_to_hsv(*(float(channel) / 255 for channel in rgb))[0]


@needs_font
@pytest.mark.parametrize("split", SPLITS)
def test_a_stamp_has_the_size_of_its_pose(split):
    generator = example_generator(0, split, "stamps", 0)
    for concept in (*TABLE.things, *TABLE.shapes):
        size_px = float(generator.uniform(40, 140))
        cut = cuts(split)[int(generator.integers(len(cuts(split))))]
        stamp = make_stamp(forms_of(concept)[0], None, draw_pose(size_px, generator), cut)
        assert stamp.image.size == stamp.opaque.size
        assert abs(max(stamp.image.size) - size_px) <= 4, concept.name


@needs_font
def test_coloured_pictures_show_every_pair_once():
    count = len(TABLE.things) * len(TABLE.colours)
    made = [make_coloured_picture(0, "test", number) for number in range(count)]
    pairs = [(picture.label, picture.colour) for picture in made]
    assert set(pairs) == {(thing.name, colour) for thing in TABLE.things for colour in TABLE.colours}
    again = make_coloured_picture(0, "test", count)
    assert (again.label, again.colour) == pairs[0]


@needs_font
def test_pictures_mix_things_tinted_things_and_shapes_and_captions_fit():
    made = [make_picture(0, "validation", number) for number in range(300)]
    shapes = {shape.name for shape in TABLE.shapes}
    plain = sum(picture.colour is None for picture in made) / len(made)
    drawn = sum(picture.label in shapes for picture in made) / len(made)
    assert 0.47 < plain < 0.63
    assert 0.1 < drawn < 0.2
    names = {concept.name: concept.names for concept in (*TABLE.things, *TABLE.shapes)}
    for picture in made:
        named = any(name in picture.text for name in names[picture.label])
        assert named or (picture.colour is not None and picture.colour in picture.text), picture.text


def test_captions_are_good_english():
    generator = np.random.default_rng(0)
    concepts = {concept.name: concept for concept in TABLE.things}
    texts = [write_caption("coloured", concepts["scissors"], "orange", generator) for _ in range(60)]
    texts += [write_caption("coloured", concepts["rain"], "red", generator) for _ in range(60)]
    texts += [write_caption("coloured", concepts["cow"], "orange", generator) for _ in range(60)]
    texts += [write_caption("picture", concepts["scissors"], None, generator) for _ in range(60)]
    wrong = ("a orange", "an orange scissors", "an orange shears", "there is scissors", "this is scissors")
    assert not [text for text in texts if any(piece in text for piece in wrong) or text.endswith("a red rain")]
    assert "an orange cow" in texts


def test_jpeg_qualities_vary_and_stay_in_their_range():
    image = Image.effect_noise((160, 160), 40).convert("RGB")
    files = [encode_jpeg(image, np.random.default_rng(number)) for number in range(20)]
    assert len({len(file) for file in files}) > 8
    assert files[0] == encode_jpeg(image, np.random.default_rng(0))
    coarsest = BytesIO()
    image.save(coarsest, "JPEG", quality=54)
    assert min(map(len, files)) > len(coarsest.getvalue())
    with Image.open(BytesIO(files[0])) as read:
        assert (read.format, read.size, read.mode) == ("JPEG", (160, 160), "RGB")


def test_a_missing_font_is_named_with_its_package(monkeypatch, tmp_path):
    monkeypatch.setattr(glyphs, "FONT_FOLDERS", (str(tmp_path),))
    with pytest.raises(glyphs.FontMissingError, match="fonts-noto-color-emoji"):
        glyphs.font_file.__wrapped__()


def test_an_empty_drawing_is_refused():
    with pytest.raises(ValueError, match="nothing"):
        glyphs.form_of(Image.new("RGBA", (20, 20)), "nothing")
