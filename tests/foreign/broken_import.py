"""A method whose import changes what all code shares."""

import torch
from broken import Sound

torch.set_default_dtype(torch.float32)
torch.set_num_threads(torch.get_num_threads() + 1)


class Importing(Sound):
    pass
