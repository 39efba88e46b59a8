"""The model of train.ts in PyTorch: same text, windows, sizes, schedule and initial distributions.

    python3 examples/chars/reference.py <text file> [--steps 3000] [--lr 0.001] [--seed 1]
"""
import argparse
import math
import time

import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument('data')
parser.add_argument('--steps', type=int, default=3000)
parser.add_argument('--lr', type=float, default=1e-3)
parser.add_argument('--seed', type=int, default=1)
options = parser.parse_args()
torch.set_num_threads(1)
torch.manual_seed(options.seed)
BLOCK, WIDTH, HEADS, LAYERS, BATCH, INTERVAL = 64, 128, 4, 4, 12, 500

with open(options.data, encoding='utf8', newline='') as file:
    text = file.read()
characters = sorted(set(text))
numbers = torch.tensor([characters.index(c) for c in text])
cut = math.floor(0.9 * len(numbers))
training, validation = numbers[:cut], numbers[cut:]


class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(len(characters), WIDTH)
        self.positions = nn.Embedding(BLOCK, WIDTH)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, dropout=0., activation='gelu', batch_first=True, norm_first=True)
            for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, len(characters), bias=False)
        nn.init.normal_(self.tokens.weight, 0, 0.02)
        nn.init.normal_(self.positions.weight, 0, 0.02)

    def forward(self, input):
        steps = input.shape[1]
        mask = torch.triu(torch.full((steps, steps), -math.inf), 1)
        x = self.tokens(input) + self.positions.weight[:steps]
        for block in self.blocks:
            x = block(x, src_mask=mask)
        return self.head(self.norm(x))


def draws(state):
    while True:
        state = (1664525 * state + 1013904223) % 2**32
        yield state / 2**32


def loss_of(text, starts):
    take = lambda offset: torch.stack([text[s + offset:s + offset + BLOCK] for s in starts])
    return nn.functional.cross_entropy(model(take(0)).flatten(0, 1), take(1).flatten())


def validate():
    starts = [i * (len(validation) - BLOCK - 1) // 200 for i in range(200)]
    # In training mode: 1.13's fast path for evaluation does not take every mask. There is no dropout.
    with torch.no_grad():
        return sum(loss_of(validation, starts[i:i + 50]).item() for i in range(0, 200, 50)) / 4


model = Gpt()
optimizer = torch.optim.AdamW(model.parameters(), lr=options.lr)
random = draws(options.seed)
total = seen = 0
start = time.perf_counter()
for i in range(1, options.steps + 1):
    for group in optimizer.param_groups:
        group['lr'] = options.lr * min(i / 100, 0.55 + 0.45 * math.cos(math.pi * i / options.steps))
    optimizer.zero_grad()
    loss = loss_of(training, [math.floor(next(random) * (len(training) - BLOCK)) for _ in range(BATCH)])
    loss.backward()
    optimizer.step()
    total, seen = total + loss.item(), seen + 1
    if i % INTERVAL == 0 or i == options.steps:
        each = 1000 * (time.perf_counter() - start) / seen
        print(f'step {i}/{options.steps}  loss {total / seen:.4f}  validation loss {validate():.4f}  {each:.0f} ms a step', flush=True)
        total, seen, start = 0, 0, time.perf_counter()
