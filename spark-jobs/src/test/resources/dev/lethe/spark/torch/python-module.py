"""Makes python-module.pt and python-module.json beside it: a module of PyTorch's, and what PyTorch computes with it.

Run by hand, with PyTorch 2.13.0; the numbers are the same with others, the archive's bytes need not be.
"""

import io
import json
import pathlib
import zipfile

import torch

ROWS = 8


class Module(torch.nn.Module):
    """Its parameters are in an order of its own: the layer that comes last is the first."""

    def __init__(self):
        super().__init__()
        self.last = torch.nn.Linear(4, 3)
        self.scale = torch.nn.Parameter(torch.ones(4))
        self.norm = torch.nn.BatchNorm1d(4)
        self.first = torch.nn.Linear(5, 4)

    def forward(self, x):
        return self.last(torch.tanh(self.norm(self.first(x)) * self.scale))


def flat(tensors):
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


def loss_of(outputs, classes):
    return torch.nn.functional.cross_entropy(outputs, classes, reduction="sum")


torch.manual_seed(20260401)
module = Module()
with torch.no_grad():
    for tensor in module.parameters():
        tensor.uniform_(-1, 1)
    module.norm.running_mean.uniform_(-0.5, 0.5)
    module.norm.running_var.uniform_(0.5, 2)
inputs = torch.rand(ROWS, 5) * 2 - 1
classes = torch.randint(0, 3, (ROWS,))

here = pathlib.Path(__file__).parent
saved = io.BytesIO()
torch.jit.save(torch.jit.script(module.eval()), saved)
with zipfile.ZipFile(saved) as whole, zipfile.ZipFile(here / "python-module.pt", "w") as small:
    for entry in whole.infolist():
        if not entry.filename.endswith(".debug_pkl"):  # paths of the machine, and half of the bytes
            small.writestr(zipfile.ZipInfo(entry.filename), whole.read(entry))

# the archive has single precision, all that follows is of the same numbers in double
module = module.double()
parameters = list(module.parameters())
outputs = module(inputs.double())
loss = loss_of(outputs, classes)
gradient = torch.autograd.grad(loss, parameters, create_graph=True)
direction = torch.rand(flat(parameters).numel(), dtype=torch.float64) * 2 - 1
product = torch.autograd.grad(flat(gradient) @ direction, parameters)
found = {
    "inputs": flat([inputs]).tolist(),
    "classes": classes.tolist(),
    "names": [name for name, _ in module.named_parameters()],
    "parameters": flat(parameters).tolist(),
    "outputs": flat([outputs]).tolist(),
    "loss": loss.item(),
    "gradient": flat(gradient).tolist(),
    "direction": direction.tolist(),
    "product": flat(product).tolist(),
}
module.train()
training = loss_of(module(inputs.double()), classes)
found["trainingLoss"] = training.item()
found["trainingGradient"] = flat(torch.autograd.grad(training, parameters)).tolist()
found["trainingBuffers"] = flat([module.norm.running_mean, module.norm.running_var]).tolist()
assert found["names"] == [name for name, _ in torch.jit.load(here / "python-module.pt").named_parameters()]
lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in found.items()]
(here / "python-module.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
