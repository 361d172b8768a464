"""NewGan: what is trained against what. Turns, optimisers and logs are the base class's."""

from jaxtyping import Float
from torch import Tensor
from zoo.methods.adversarial import Step, Term, Terms
from zoo.methods.framewise import FramewiseMethod
from zoo.methods.losses.adversarial import loss_as_generated, loss_as_real
from zoo.methods.nn.frontend import Mel
from zoo.registry.spec import InputSpec

from zoo_new_gan.config import NewGanConfig
from zoo_new_gan.discriminator import Discriminator
from zoo_new_method.networks import COLUMNS, SIZE, Network


class NewGan(FramewiseMethod):
    """L1 with weight on the lips, and a discriminator of single frames beside the still."""

    config: NewGanConfig

    def build(self, config: NewGanConfig) -> None:
        """Front end, generator and discriminator."""
        self.frontend = Mel(COLUMNS)
        self.generator = Network(config.width)
        self.discriminator = Discriminator(config.width)

    @property
    def input_spec(self) -> InputSpec:
        """The lips at 64x64, one frame per window, and the sound of one mel window around it."""
        return InputSpec(crop="mouth", size=(SIZE, SIZE), frames=1, context=self.frontend.samples)

    def render(
        self,
        reference: Float[Tensor, "N 3 H W"],
        target: Float[Tensor, "N 3 H W"],
        features: Float[Tensor, "N 1 80 27"],
    ) -> Float[Tensor, "N 3 H W"]:
        """Frames from the still and the sound; the true frames are not used, since the spec declares no driver."""
        return self.generator(self.laid_out(reference), features).float()

    def generator_terms(self, step: Step) -> Terms:
        """L1, and the adversarial loss of generated frames."""
        generated = self.render_window(step)
        yield from self.l1_terms(step, self.config.lip_weight)
        if step.adversarial:
            logits = self.discriminator(generated, step.reference)
            yield Term("g_adversarial", loss_as_real(logits), self.config.adversarial_weight)

    def discriminator_terms(self, step: Step) -> Terms:
        """Binary cross-entropy of real and generated frames."""
        yield Term("d_real", loss_as_real(self.discriminator(step.real, step.reference)))
        yield Term("d_generated", loss_as_generated(self.discriminator(step.generated, step.reference)))
