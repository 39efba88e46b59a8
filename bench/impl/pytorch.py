"""PyTorch on the CPU, one thread. The same protocol as serve.mjs, the same numbers as cases.mjs."""

import ctypes
import json
import math
import os
import platform
import sys
import time

# Read when the libraries are loaded.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"


def openblas_core():
    """The kernels that OpenBLAS chose; None when the BLAS is another."""
    try:
        name = ctypes.CDLL("libopenblas.so.0").openblas_get_corename
    except (OSError, AttributeError):
        return None
    name.restype = ctypes.c_char_p
    return name().decode()


# OpenBLAS takes a CPU newer than itself for a Prescott: 0.3.21 on an Emerald Rapids did gemm-512 at 22
# GFLOP/s, and at 109 when told SkylakeX. It listens only before it is loaded: start again.
core = openblas_core()
if core == "Prescott" and "OPENBLAS_CORETYPE" not in os.environ:
    with open("/proc/cpuinfo") as file:
        flags = file.read().split()
    better = "SkylakeX" if "avx512vl" in flags else "Haswell" if "avx2" in flags else None
    if better:
        os.environ["OPENBLAS_CORETYPE"] = better
        os.execv(sys.executable, [sys.executable, *sys.argv])

import torch
from torch import nn

torch.set_num_threads(int(sys.argv[sys.argv.index("--threads") + 1]) if "--threads" in sys.argv else 1)

FIRST_STEPS = 20
BATCHES = 20


def uniform(shape, stream, low=0.0, high=1.0):
    """cases.mjs's, to the bit."""
    x = torch.arange(math.prod(shape)) + stream * 0x9E3779B9 & 0xFFFFFFFF
    x = (x ^ x >> 16) * 0x7FEB352D & 0xFFFFFFFF
    x = (x ^ x >> 15) * 0x846CA68B & 0xFFFFFFFF  # int64 wraps, and keeps the low 32 bits
    x = x ^ x >> 16
    return (low + (high - low) * (x.double() / 2**32)).float().reshape(shape)


def gemm(case):
    n = case["n"]
    a, b = uniform((n, n), 1), uniform((n, n), 2)
    c = torch.empty(n, n)
    return (lambda: torch.mm(a, b, out=c)), (lambda: c.double().mean().item())


def mlp(case):
    sizes, batch = case["sizes"], case["batch"]
    activation = {"relu": nn.ReLU, "tanh": nn.Tanh}[case["activation"]]
    layers = []
    for i, (inputs, outputs) in enumerate(zip(sizes, sizes[1:])):
        linear = nn.Linear(inputs, outputs)
        bound = 1 / math.sqrt(inputs)
        with torch.no_grad():
            linear.weight.copy_(uniform((outputs, inputs), 100 + 2 * i, -bound, bound))
            linear.bias.copy_(uniform((outputs,), 101 + 2 * i, -bound, bound))
        layers += [linear, activation()]
    model = nn.Sequential(*layers[:-1])
    optimizer = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[case["optimizer"]](
        model.parameters(), lr=case["lr"]
    )
    criterion = {"crossEntropy": nn.CrossEntropyLoss, "mse": nn.MSELoss}[case["loss"]]()

    batches = []
    for i in range(BATCHES):
        x = uniform((batch, sizes[0]), 1000 + 2 * i)
        if case["loss"] == "mse":
            y = uniform((batch, sizes[-1]), 1001 + 2 * i)
        else:
            y = (uniform((batch,), 1001 + 2 * i).double() * sizes[-1]).floor().long()
        batches.append((x, y))
    count = 0
    value = None

    def step():
        nonlocal count, value
        x, y = batches[count % BATCHES]
        count += 1
        optimizer.zero_grad(set_to_none=True)
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        value = loss.item()

    return step, lambda: value


def initialise(model):
    """As initial() of cases.mjs, over the parameters sorted by name."""
    with torch.no_grad():
        for i, (name, p) in enumerate(sorted(model.named_parameters())):
            if p.dim() == 1 and name.endswith("weight"):
                p.fill_(1)
            else:
                bound = 1 / math.sqrt(p.numel() if p.dim() == 1 else p.numel() / p.shape[0])
                p.copy_(uniform(tuple(p.shape), 100 + i, -bound, bound))
    return model


def integers(shape, stream, limit):
    return (uniform(shape, stream).double() * limit).floor().long()


def training(case, model, batches):
    """Steps of Adam on the cross-entropy of a model."""
    optimizer = torch.optim.Adam(initialise(model).parameters(), lr=case["lr"])
    count = 0
    value = None

    def step():
        nonlocal count, value
        x, y = batches[count % BATCHES]
        count += 1
        optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        value = loss.item()

    return step, lambda: value


def labelled(case, shape, classes):
    return [
        (uniform((case["batch"], *shape), 1000 + 2 * i), integers((case["batch"],), 1001 + 2 * i, classes))
        for i in range(BATCHES)
    ]


def cnn(case):
    channels, side, kernel = case["channels"], case["side"], case["kernel"]
    layers = []
    for inputs, outputs in zip(channels, channels[1:]):
        layers += [nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.ReLU(), nn.MaxPool2d(2)]
    layers.append(nn.Flatten())
    sizes = [channels[-1] * (side // 2 ** (len(channels) - 1)) ** 2, *case["hidden"], 10]
    for inputs, outputs in zip(sizes, sizes[1:]):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return training(case, nn.Sequential(*layers[:-1]), labelled(case, (channels[0], side, side), 10))


class GPT(nn.Module):
    def __init__(self, vocabulary, length, width, heads, blocks):
        super().__init__()
        self.token = nn.Embedding(vocabulary, width)
        self.position = nn.Embedding(length, width)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
            )
            for _ in range(blocks)
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        self.mask = torch.full((length, length), float("-inf")).triu(1)

    def forward(self, x):
        h = self.token(x) + self.position.weight
        for block in self.blocks:
            h = block(h, self.mask)
        return self.head(self.norm(h)).flatten(0, 1)


def gpt(case):
    size = (case["batch"], case["length"])
    batches = [
        (
            integers(size, 1000 + 2 * i, case["vocabulary"]),
            integers((math.prod(size),), 1001 + 2 * i, case["vocabulary"]),
        )
        for i in range(BATCHES)
    ]
    model = GPT(case["vocabulary"], case["length"], case["width"], case["heads"], case["blocks"])
    return training(case, model, batches)


class Recurrent(nn.Module):
    def __init__(self, inputs, hidden):
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 10)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])


def lstm(case):
    model = Recurrent(case["inputs"], case["hidden"])
    return training(case, model, labelled(case, (case["length"], case["inputs"]), 10))


def op(case):
    """One operation, and the gradients of all that it takes."""
    inputs = [uniform(tuple(shape), 10 + i, -1, 1).requires_grad_() for i, shape in enumerate(case["shapes"])]
    indices = integers(tuple(case["indices"]), 20, case["shapes"][0][0]) if "indices" in case else None
    compute = {
        "conv": lambda: nn.functional.conv2d(*inputs),
        "layerNorm": lambda: nn.functional.layer_norm(inputs[0], inputs[1].shape, *inputs[1:]),
        "softmax": lambda: torch.softmax(inputs[0], -1),
        "embedding": lambda: nn.functional.embedding(indices, inputs[0]),
    }[case["op"]]
    gradient = None

    def step():
        nonlocal gradient
        for x in inputs:
            x.grad = None
        y = compute()
        if gradient is None:
            gradient = uniform(tuple(y.shape), 30, -1, 1)
        y.backward(gradient)

    return step, lambda: inputs[0].grad.double().abs().mean().item()


builders = {"gemm": gemm, "mlp": mlp, "cnn": cnn, "gpt": gpt, "lstm": lstm, "op": op}


def run(steps):
    start = time.perf_counter()
    for _ in range(steps):
        step()
    return 1000 * (time.perf_counter() - start)


def answer(**fields):
    print(json.dumps(fields), flush=True)


runtime = f"Python {platform.python_version()}" + (f", OpenBLAS for {core}" if core else "")
answer(version=torch.__version__, runtime=runtime)
for line in sys.stdin:
    command, rest = line.split(" ", 1)
    try:
        if command == "prepare":
            case = json.loads(rest)
            step, result = builders[case["kind"]](case)
            run(FIRST_STEPS)
            answer(check=result())
        else:
            answer(ms=run(int(rest)))
    except Exception as error:
        answer(error=f"{type(error).__name__}: {error}")
