"""Differentiable optical flow behind one interface: classical (Lucas-Kanade), FlowNetS, and torchvision's RAFT."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.methods.nn.blocks import scaled
from zoo.support.checkpoint import Unreadable, read_tensors
from zoo.support.errors import DataError


class FlowEstimator(nn.Module, ABC):
    """Where every pixel of a picture has gone in the next one; gradients reach both pictures."""

    @abstractmethod
    def forward(
        self, first: Float[Tensor, "batch 3 H W"], second: Float[Tensor, "batch 3 H W"]
    ) -> Float[Tensor, "batch 2 H W"]:
        """Estimate the flow.

        Args:
            first: RGB in [0, 1].
            second: RGB in [0, 1].

        Returns:
            Right and down, in pixels: what is at ``p`` in ``first`` is at ``p + flow(p)`` in ``second``.
        """

    def video(self, frames: Float[Tensor, "B T 3 H W"]) -> Float[Tensor, "B T-1 2 H W"]:
        """The flow from every frame to the next; RGB in [0, 1], pixels per frame."""
        flow = self(frames[:, :-1].flatten(0, 1), frames[:, 1:].flatten(0, 1))
        return flow.unflatten(0, (len(frames), -1))


def warp(pictures: Float[Tensor, "batch C H W"], flow: Float[Tensor, "batch 2 H W"]) -> Float[Tensor, "batch C H W"]:
    """Look up every pixel where its flow points; outside the picture its edge is repeated.

    ``warp(second, flow)`` is ``first`` again where the flow is right and nothing is hidden.

    Args:
        pictures: any range.
        flow: right and down, in pixels.
    """
    height, width = pictures.shape[-2:]
    ys = torch.arange(height, device=flow.device, dtype=flow.dtype)
    xs = torch.arange(width, device=flow.device, dtype=flow.dtype)
    x = (xs + flow[:, 0] + 0.5) * (2 / width) - 1
    y = (ys[:, None] + flow[:, 1] + 0.5) * (2 / height) - 1
    grid = torch.stack([x, y], dim=-1)
    return F.grid_sample(pictures, grid, mode="bilinear", padding_mode="border", align_corners=False)


class LucasKanade(FlowEstimator):
    """Iterative Lucas-Kanade on a pyramid (Lucas and Kanade 1981; Bouguet 2001), dense and differentiable.

    Around every pixel the shift is sought that explains the change of brightness best in the sense of least squares.
    Nothing is learnt. Where there is no texture, the flow is what the coarser level says, at last zero.

    Args:
        levels: steps of the pyramid, each half as large as the one before.
        iterations: refinements per level.
        window: standard deviation in pixels of the Gaussian window whose pixels move together.
        shrink: by how much pictures are shrunk before anything else; the flow is brought back to their size.
        damping: added to the variances of the gradients (range [0, 1] per pixel, squared), so that noise moves nothing.
    """

    def __init__(
        self, levels: int = 3, iterations: int = 3, window: float = 2.0, shrink: int = 1, damping: float = 1e-4
    ) -> None:
        super().__init__()
        self.levels, self.iterations, self.shrink, self.damping = levels, iterations, shrink, damping
        reach = max(1, round(2 * window))
        steps = torch.arange(-reach, reach + 1, dtype=torch.float32)
        weights = torch.exp(-0.5 * (steps / window) ** 2)
        self.register_buffer("kernel", weights / weights.sum(), persistent=False)

    kernel: Tensor

    def forward(
        self, first: Float[Tensor, "batch 3 H W"], second: Float[Tensor, "batch 3 H W"]
    ) -> Float[Tensor, "batch 2 H W"]:
        """See :meth:`FlowEstimator.forward`."""
        size = first.shape[-2:]
        pairs = [(first.mean(1, keepdim=True), second.mean(1, keepdim=True))]
        if self.shrink > 1:
            pairs[0] = (F.avg_pool2d(pairs[0][0], self.shrink), F.avg_pool2d(pairs[0][1], self.shrink))
        while len(pairs) < self.levels and min(pairs[-1][0].shape[-2:]) >= 16:
            pairs.append((F.avg_pool2d(pairs[-1][0], 2), F.avg_pool2d(pairs[-1][1], 2)))
        flow = torch.zeros(len(first), 2, *pairs[-1][0].shape[-2:], device=first.device, dtype=first.dtype)
        for a, b in reversed(pairs):
            if flow.shape[-2:] != a.shape[-2:]:
                flow = _resized(flow, a.shape[-2:])
            flow = self._refine(a, b, flow)
        return flow if flow.shape[-2:] == size else _resized(flow, size)

    def _refine(self, first: Tensor, second: Tensor, flow: Tensor) -> Tensor:
        padded = F.pad(first, (1, 1, 1, 1), mode="replicate")
        gx = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
        gy = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
        xx, yy, xy = torch.split(self._smooth(torch.cat([gx * gx, gy * gy, gx * gy], 1)), 1, 1)
        xx, yy = xx + self.damping, yy + self.damping
        determinant = xx * yy - xy * xy
        for _ in range(self.iterations):
            change = (warp(second, flow) - first) * _inside(flow.detach())
            bx, by = torch.split(self._smooth(torch.cat([gx * change, gy * change], 1)), 1, 1)
            step = torch.cat([xy * by - yy * bx, xy * bx - xx * by], 1) / determinant
            flow = flow + step.clamp(-2, 2)  # a larger step than the linear model is good for is a wrong one
        return flow

    def _smooth(self, values: Tensor) -> Tensor:
        count, reach = values.shape[1], len(self.kernel) // 2
        kernel = self.kernel.to(values.dtype)
        across = kernel.view(1, 1, 1, -1).expand(count, 1, 1, -1)
        down = kernel.view(1, 1, -1, 1).expand(count, 1, -1, 1)
        values = F.pad(values, (reach, reach, reach, reach), mode="replicate")
        return F.conv2d(F.conv2d(values, across, groups=count), down, groups=count)


def _inside(flow: Float[Tensor, "batch 2 H W"]) -> Float[Tensor, "batch 1 H W"]:
    """1 where a flow points into the picture, 0 where it points outside: what is there cannot be compared."""
    height, width = flow.shape[-2:]
    x = flow[:, :1] + torch.arange(width, device=flow.device)
    y = flow[:, 1:] + torch.arange(height, device=flow.device)[:, None]
    return ((x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)).to(flow.dtype)


def _resized(flow: Tensor, size: torch.Size) -> Tensor:
    """A flow field at another size, its vectors in the new pixels."""
    ratio = flow.new_tensor([size[1] / flow.shape[-1], size[0] / flow.shape[-2]]).view(1, 2, 1, 1)
    return F.interpolate(flow, size, mode="bilinear", align_corners=False) * ratio


class FlowNetS(FlowEstimator):
    """FlowNetSimple (Dosovitskiy et al., ICCV 2015): both pictures through one encoder, flow refined from 1/64 to 1/4.

    Args:
        width: factor on all channel counts; 1 is the published network.
    """

    scale = 20.0
    """What the network's output is multiplied by to give pixels (published code)."""

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        c = {n: scaled(n, width, least=4) for n in (64, 128, 256, 512, 1024)}
        self.encoder = nn.ModuleList(
            [
                _conv(6, c[64], 7, 2),
                _conv(c[64], c[128], 5, 2),
                nn.Sequential(_conv(c[128], c[256], 5, 2), _conv(c[256], c[256], 3)),
                nn.Sequential(_conv(c[256], c[512], 3, 2), _conv(c[512], c[512], 3)),
                nn.Sequential(_conv(c[512], c[512], 3, 2), _conv(c[512], c[512], 3)),
                _conv(c[512], c[1024], 3, 2),
            ]
        )
        skips = [c[512], c[512], c[256], c[128]]
        widths = [c[512], c[256], c[128], c[64]]
        self.deconvs, self.flows, self.ups = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        cin = c[1024]
        for skip, cout in zip(skips, widths, strict=True):
            self.flows.append(nn.Conv2d(cin, 2, 3, padding=1))
            up = nn.ConvTranspose2d(cin, cout, 4, 2, 1)
            self.deconvs.append(nn.Sequential(up, nn.LeakyReLU(0.1)))
            self.ups.append(nn.ConvTranspose2d(2, 2, 4, 2, 1))
            cin = skip + cout + 2
        self.flows.append(nn.Conv2d(cin, 2, 3, padding=1))

    def pyramid(
        self, first: Float[Tensor, "batch 3 H W"], second: Float[Tensor, "batch 3 H W"]
    ) -> list[Float[Tensor, "batch 2 _ _"]]:
        """Flow at 1/64, 1/32, 1/16, 1/8 and 1/4 of the size, in units of 20 full-size pixels, for training.

        Args:
            first: RGB in [0, 1]; height and width are multiples of 64.
            second: as ``first``.

        Raises:
            ValueError: another height or width.
        """
        if first.shape[-1] % 64 or first.shape[-2] % 64:
            raise ValueError(f"FlowNetS needs multiples of 64 pixels, not {first.shape[-2]}x{first.shape[-1]}")
        x = 2 * torch.cat([first, second], 1) - 1
        skips: list[Tensor] = []
        for stage in self.encoder:
            x = stage(x)
            skips.append(x)
        found: list[Tensor] = []
        for number, (deconv, up) in enumerate(zip(self.deconvs, self.ups, strict=True)):
            found.append(self.flows[number](x))
            x = torch.cat([skips[4 - number], deconv(x), up(found[-1])], 1)
        return [*found, self.flows[-1](x)]

    def forward(
        self, first: Float[Tensor, "batch 3 H W"], second: Float[Tensor, "batch 3 H W"]
    ) -> Float[Tensor, "batch 2 H W"]:
        """See :meth:`FlowEstimator.forward` and :meth:`pyramid`."""
        fine = self.pyramid(first, second)[-1] * self.scale
        return F.interpolate(fine, first.shape[-2:], mode="bilinear", align_corners=False)


def _conv(cin: int, cout: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(cin, cout, kernel, stride, kernel // 2), nn.LeakyReLU(0.1))


class Raft(FlowEstimator):
    """torchvision's RAFT (Teed and Deng, ECCV 2020), the small one, where its weights are at hand.

    Args:
        weights: file of the published weights; ``None``: where torch keeps what it has downloaded.
        updates: refinements.

    Raises:
        DataError: the weights are not there, or not RAFT's.
    """

    least = 128
    """RAFT's correlation pyramid needs pictures at least so high and wide; smaller ones are enlarged for it."""

    def __init__(self, weights: str | Path | None = None, updates: int = 12) -> None:
        super().__init__()
        from torchvision.models.optical_flow import Raft_Small_Weights, raft_small

        url = Raft_Small_Weights.DEFAULT.url
        path = Path(weights) if weights else Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
        if not path.is_file():
            raise DataError(f"RAFT: no weights at {path}; download {url}, put it there, or choose another flow")
        network = raft_small()
        try:
            network.load_state_dict(read_tensors(path))
        except Exception as error:
            why = str(error) if isinstance(error, Unreadable) else type(error).__name__
            raise DataError(f"{path}: not the weights of torchvision's raft_small ({why})") from error
        self.network, self.updates = network.eval(), updates

    def train(self, mode: bool = True) -> Raft:
        """It is only asked: batch normalisation stays as published."""
        return super().train(False)

    def forward(
        self, first: Float[Tensor, "batch 3 H W"], second: Float[Tensor, "batch 3 H W"]
    ) -> Float[Tensor, "batch 2 H W"]:
        """See :meth:`FlowEstimator.forward`."""
        size = first.shape[-2:]
        grow = max(1.0, self.least / min(size))
        inner = [-(-round(side * grow) // 8) * 8 for side in size]
        pair = [F.interpolate(2 * x - 1, inner, mode="bilinear", align_corners=False) for x in (first, second)]
        flow = self.network(*pair, num_flow_updates=self.updates)[-1]
        return _resized(flow, size)
