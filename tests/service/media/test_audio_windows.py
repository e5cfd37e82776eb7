"""Windows of a clip; what they give over the wire is in tests/service/test_windows.py."""

import numpy as np
import pytest

from service.errors import UnreadableAudio
from service.media.audio import AudioSpec
from service.media.audio_windows import Windows, decode_clip
from tests.service.media_files import encode_clip


@pytest.mark.parametrize("values", [[np.nan], [np.inf], [np.inf, -np.inf], [1e300]])
def test_a_window_with_samples_that_are_not_finite_is_refused_and_the_others_are_not(values):
    samples = np.full((32_000, 1), 0.25)
    samples[20_000 : 20_000 + len(values), 0] = values
    data = encode_clip(samples, subtype="DOUBLE")
    clip = decode_clip(data, AudioSpec(), Windows(1.0, 1.0), max_seconds=600.0, max_windows=8)
    (first, second) = clip.spans()
    assert np.isfinite(clip.waveform(*first)).all()
    with pytest.raises(UnreadableAudio, match="not finite"):
        clip.waveform(*second)
