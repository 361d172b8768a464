"""NewMetric keeps the zoo's contract and gives the numbers that can be worked out by hand."""

import numpy as np
import pytest
import torch
from torch import Tensor
from zoo.testing import check

from zoo_new_metric.metric import NewMetric, gap_correlation


def talking(gaps: list[float]) -> Tensor:
    """Landmarks of a mouth that opens so far, frame by frame."""
    points = torch.zeros(len(gaps), 68, 2)
    points[:, 65:68, 1] = torch.tensor(gaps)[:, None]
    return points


def test_it_keeps_the_contract():
    report = check("new-metric", kind="metric", quick=True)
    assert report.ok, report.text()


@pytest.mark.parametrize(
    ("gaps", "value"),
    [([0, 2, 1, 3], 1), ([3, 1, 2, 0], -1), ([1, 1, 1, 1], 0), ([5, 9, 7, 11], 1), ([2, 0, 3, 1], -0.6)],
)
def test_values_by_hand(gaps: list[float], value: float):
    assert gap_correlation(talking(gaps), talking([0, 2, 1, 3])).item() == pytest.approx(value)


def test_it_is_what_numpy_calls_correlation():
    made, real = np.random.default_rng(0).uniform(0, 9, (2, 50))
    found = gap_correlation(talking(made.tolist()), talking(real.tolist())).item()
    assert found == pytest.approx(np.corrcoef(made, real)[0, 1], abs=1e-6)


def test_clips_count_alike_and_failures_lower_coverage():
    metric = NewMetric()
    metric.update("a", talking([0, 2, 1, 3]), talking([0, 2, 1, 3]))
    metric.update("b", talking([1, 1, 1, 1]), talking([0, 2, 1, 3]))
    metric.update("c", talking([0, 2, 1, 3]), talking([1, 1, 1, 1]))
    result = metric.result()
    assert result.value == pytest.approx(0.5)
    assert (result.clips, result.total) == (2, 3)
    assert "the real mouth does not move" in result.reason
    assert "gap:inner" in result.signature
