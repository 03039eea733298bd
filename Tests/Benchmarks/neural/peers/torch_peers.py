"""The peers of the neural benchmark in PyTorch, on the processor: JSON lines on standard output.

usage: torch_peers.py THREADS [convolution VOXELS] [attention] [full FORWARD-SIZE BACKWARD-SIZE]

convolution: gather, multiply, index_add for each of the 27 neighbours, over voxels given as int32 x, y, z.
attention:   scaled_dot_product_attention on the shapes of the benchmark.
full:        full attention of 32 heads × 32, forward up to one number of tokens and backward up to another.
"""

import array
import json
import sys
import time

import torch
import torch.nn.functional as functional

threads = int(sys.argv[1])
torch.set_num_threads(threads)


def best(bodies):
    """Least seconds of each body, taking turns: three turns, but none is begun after 8 s."""
    least, total, turns = [float("inf")] * len(bodies), 0.0, 0
    while total < 8 and (turns < 3 or total < 0.6 * len(bodies)):
        for index, body in enumerate(bodies):
            start = time.perf_counter()
            body()
            seconds = time.perf_counter() - start
            least[index] = min(least[index], seconds)
            total += seconds
        turns += 1
    return least


square = torch.full((2048, 2048), 0.5)
PEAK_WORK = 2 * 2.048**3


def peak():
    return square @ square.T


def report(part, case, **figures):
    print(json.dumps({"part": part, "case": case, "threads": threads, "program": "torch " + torch.__version__, **figures}), flush=True)


def neighbours(path):
    """Pairs (output row, input row) of each of the 27 offsets."""
    numbers = array.array("i", open(path, "rb").read())
    voxels = torch.tensor(numbers, dtype=torch.int64).reshape(-1, 3) + 1
    side = int(voxels.max()) + 2
    keys = (voxels[:, 0] * side + voxels[:, 1]) * side + voxels[:, 2]
    ordered, order = keys.sort()
    pairs = []
    for x in (-1, 0, 1):
        for y in (-1, 0, 1):
            for z in (-1, 0, 1):
                wanted = keys + (x * side + y) * side + z
                place = torch.searchsorted(ordered, wanted).clamp(max=len(ordered) - 1)
                found = (ordered[place] == wanted).nonzero()[:, 0]
                pairs.append((found, order[place[found]]))
    return len(keys), pairs


def convolution(path):
    rows, pairs = neighbours(path)
    count = sum(len(found) for found, _ in pairs)
    for channels in (32, 64, 128):
        features = torch.full((rows, channels), 0.5)
        kernel = torch.full((27, channels, channels), 0.01)
        out = torch.zeros(rows, channels)

        def run():
            out.zero_()
            for tap, (to, source) in enumerate(pairs):
                out.index_add_(0, to, features[source] @ kernel[tap])

        seconds = best([peak, run])
        work = 2e-9 * count * channels * channels
        report("convolution", f"256³, {channels} channels", gflops=work / seconds[1], peak=PEAK_WORK / seconds[0], rows=rows)


def attention():
    for case, batch, heads, tokens, keys, dimension in (
        ("dense 4096 × 4096, 16 heads × 64", 1, 16, 4096, 4096, 64),
        ("cross 4096 × 1374, 16 heads × 64", 1, 16, 4096, 1374, 64),
        ("windows of 64, 8 heads × 64", 1024, 8, 64, 64, 64),
        ("windows of 128, 32 and 2 heads × 32", 128, 32, 128, 128, 32),
        ("cross 10000 × 1374, 32 heads × 32", 1, 32, 10000, 1374, 32),
    ):
        q = torch.randn(batch, heads, tokens, dimension)
        k = torch.randn(batch, heads, keys, dimension)
        v = torch.randn(batch, heads, keys, dimension)
        seconds = best([peak, lambda: functional.scaled_dot_product_attention(q, k, v)])
        work = 4e-9 * batch * heads * tokens * keys * dimension
        report("attention", case, ms=seconds[1] * 1e3, gflops=work / seconds[1], peak=PEAK_WORK / seconds[0])


def full(forward, backward):
    tokens = 8192
    while tokens <= max(forward, backward):
        q, k, v = (torch.randn(1, 32, tokens, 32, requires_grad=tokens <= backward) for _ in range(3))
        figures = {"tokens": tokens}
        if tokens <= forward:
            start = time.perf_counter()
            out = functional.scaled_dot_product_attention(q, k, v)
            figures["forward_s"] = time.perf_counter() - start
        if tokens <= backward:
            gradient = torch.randn_like(out)
            start = time.perf_counter()
            out.backward(gradient)
            figures["backward_s"] = time.perf_counter() - start
        report("full", f"{tokens} tokens", **figures)
        tokens *= 2


arguments = sys.argv[2:]
while arguments:
    part = arguments.pop(0)
    if part == "convolution":
        convolution(arguments.pop(0))
    elif part == "attention":
        attention()
    elif part == "full":
        full(int(arguments.pop(0)), int(arguments.pop(0)))
    else:
        sys.exit(__doc__)
