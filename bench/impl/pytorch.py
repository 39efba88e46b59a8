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

torch.set_num_threads(1)

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


builders = {"gemm": gemm, "mlp": mlp}


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
