"""Pasting changes the picture inside the crop only, with a seam that nobody sees."""

import pytest
import torch
from torch import Tensor

from tests.helpers.drawn import head_movement
from zoo.face import crop
from zoo.face.paste import LOWER_FROM, paste, paste_mask


def smooth_picture(height: int, width: int) -> Tensor:
    """``(3, height, width)`` uint8 with nothing that resampling could lose."""
    ys, xs = torch.meshgrid(torch.arange(height) / 9.0, torch.arange(width) / 11.0, indexing="ij")
    planes = [ys.sin() + xs.cos(), (ys + xs).sin() + ys.cos(), (xs - ys).cos() + xs.sin()]
    return (127 + 55 * torch.stack(planes)).round().to(torch.uint8)


@pytest.fixture
def pictures() -> Tensor:
    return smooth_picture(160, 150).expand(12, -1, -1, -1).contiguous()


def covered(crops: crop.Crops, height: int, width: int) -> Tensor:
    """``(T, height, width)``: which pixels' centres lie in the crop."""
    ys, xs = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    every = torch.stack([xs, ys], dim=-1).reshape(1, -1, 2).float().expand(len(crops.matrices), -1, -1)
    points = crop.map_points(every, crops.matrices).view(-1, height, width, 2)
    low, high = points > -1.5, points < torch.tensor([crops.size[1], crops.size[0]]) + 0.5
    return (low & high).all(-1)


@pytest.mark.parametrize("kind", ["face", "aligned", "mouth"])
@pytest.mark.parametrize("part", ["all", "lower"])
@pytest.mark.parametrize("size", [(96, 96), (160, 160), (48, 48)])
def test_only_the_crop_changes(pictures: Tensor, kind: str, part: str, size: tuple[int, int]):
    crops = crop.place_crops(head_movement(12), kind, size)
    white = torch.ones(12, 3, *size)
    before = pictures.clone()
    pasted = paste(pictures, white, crops.matrices, part)
    assert torch.equal(pictures, before)
    changed = (pasted != pictures).any(1)
    inside = covered(crops, 160, 150)
    assert not (changed & ~inside).any()
    middle = crops.matrices @ torch.tensor([size[1] / 2, size[0] * 0.75, 1.0])
    for t, (x, y) in enumerate(middle.round().long().tolist()):
        assert (pasted[t, :, y, x] == 255).all()
    if part == "lower":
        eyes = crops.matrices @ torch.tensor([size[1] / 2, size[0] * 0.3, 1.0])
        for t, (x, y) in enumerate(eyes.round().long().tolist()):
            assert torch.equal(pasted[t, :, y, x], pictures[t, :, y, x])


@pytest.mark.parametrize("kind", ["face", "aligned", "mouth"])
@pytest.mark.parametrize("part", ["all", "lower"])
@pytest.mark.parametrize("size", [(96, 96), (200, 200)])
def test_what_was_cut_out_fits_back_in(pictures: Tensor, kind: str, part: str, size: tuple[int, int]):
    crops = crop.place_crops(head_movement(12), kind, size)
    cut = crops.cut(pictures, range(12)).float() / 255
    error = (paste(pictures, cut, crops.matrices, part).int() - pictures.int()).abs()
    assert error.max() <= 3
    assert error.float().mean() < 0.3


@pytest.mark.parametrize("part", ["all", "lower"])
@pytest.mark.parametrize("centre", [(5.0, 60.0), (145.0, 110.0), (70.0, -10.0)])
def test_a_face_at_the_edge_of_the_picture(pictures: Tensor, part: str, centre: tuple[float, float]):
    crops = crop.place_crops(head_movement(12, centre=centre), "face", (96, 96))
    cut = crops.cut(pictures, range(12)).float() / 255
    error = (paste(pictures, cut, crops.matrices, part).int() - pictures.int()).abs()
    assert error.max() <= 4  # where the edge was repeated, the crop's last pixels differ a little
    white = paste(pictures, torch.ones_like(cut), crops.matrices, part)
    assert (white != pictures).any()


def test_a_face_outside_the_picture_changes_nothing(pictures: Tensor):
    crops = crop.place_crops(head_movement(12, centre=(900.0, 60.0)), "face", (96, 96))
    assert torch.equal(paste(pictures, torch.ones(12, 3, 96, 96), crops.matrices), pictures)


@pytest.mark.parametrize("side", [48, 64, 96, 256])
def test_the_seam_is_soft_and_monotone(side: int):
    for part in ("all", "lower"):
        mask = paste_mask((side, side), part)[0, 0]
        assert mask.min() >= 0
        assert mask.max() <= 1 + 1e-6
        for edge in (mask[0], mask[-1], mask[:, 0], mask[:, -1]):
            assert edge.max() < 0.02
        row = mask[round(0.75 * side)]
        assert (row[: side // 2].diff() >= -1e-6).all()
        assert (row[side // 2 :].diff() <= 1e-6).all()
        column = mask[:, side // 2]
        peak = int(column.argmax())
        assert (column[: peak + 1].diff() >= -1e-6).all()
        assert (column[peak:].diff() <= 1e-6).all()
        assert column.max() > 0.99
        assert mask.diff(dim=0).abs().max() < 0.5  # no step from one pixel to the next
    lower = paste_mask((side, side), "lower")[0, 0]
    assert lower[: round((LOWER_FROM - 0.15) * side)].max() < 0.02
    assert lower[round(LOWER_FROM * side), side // 2] > 0.95


@pytest.mark.parametrize("kind", ["face", "aligned"])
@pytest.mark.parametrize("part", ["all", "lower"])
def test_nothing_of_the_old_lips_shines_through(kind: str, part: str):
    """Generated mouths are judged on the real video: what the seam let through would be scored as generated."""
    landmarks = head_movement(60)
    crops = crop.place_crops(landmarks, kind, (96, 96))
    lips = crop.map_points(landmarks, crops.matrices)[:, 48:68].round().long()
    mask = paste_mask((96, 96), part)[0, 0]
    assert mask[lips[..., 1], lips[..., 0]].min() > 0.95


def test_the_crops_rim_is_not_mixed_with_black():
    """White on white stays white: beyond its last pixel a crop has no colour that could show."""
    white = torch.full((1, 3, 120, 120), 255, dtype=torch.uint8)
    for scale in (0.3, 1.0, 1.37, 4.0):
        matrix = torch.tensor([[[scale, 0, 3.3], [0, scale, 5.1]]])
        assert (paste(white, torch.ones(1, 3, 24, 24), matrix) == 255).all()
