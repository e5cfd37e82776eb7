import pytest
import torch

from training.means import RunningMeans


def test_each_name_is_averaged_over_the_steps_that_reported_it():
    means = RunningMeans()
    means.add({"contrast": torch.tensor(1.0), "image": torch.tensor(8.0)})
    means.add({"contrast": torch.tensor(2.0)})
    assert means.take() == {"contrast": 1.5, "image": 8.0}


def test_what_was_taken_is_not_counted_again():
    means = RunningMeans()
    means.add({"contrast": torch.tensor(1.0)})
    means.take()
    means.add({"contrast": torch.tensor(5.0)})
    assert means.take() == {"contrast": 5.0}


def test_a_state_goes_on_where_it_was_taken():
    means, resumed = RunningMeans(), RunningMeans()
    means.add({"contrast": torch.tensor(1.0)})
    resumed.load(means.state())
    resumed.add({"contrast": torch.tensor(4.0)})
    assert resumed.take()["contrast"] == pytest.approx(2.5)
