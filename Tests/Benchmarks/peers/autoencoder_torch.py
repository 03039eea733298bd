"""The sparse SDF autoencoder's layers in PyTorch on the CPU, gather - matmul - index_add: the plain way to write them.

usage: autoencoder_torch.py encode|decode CELLS THREADS [f32|bf16]

CELLS is a file of int32 rows (x, y, z): voxels for encode, latent cells for decode. Weights are random, at the released
size: 512 channels, 4 blocks, 8 heads. Neighbour tables are built before the clock starts. Prints seconds.
"""
import sys, time
import numpy as np, torch
import torch.nn.functional as F

mode, path, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
if sys.argv[4:] == ["bf16"]:
    torch.set_default_dtype(torch.bfloat16)
torch.set_num_threads(threads)
torch.manual_seed(0)
C, BLOCKS, HEADS = 512, 4, 8


def key(c):
    return ((c[:, 0] + 8) * 8192 + c[:, 1] + 8) * 8192 + c[:, 2] + 8


def table(c):
    """For each of 27 taps: input rows and output rows."""
    order = np.argsort(key(c))
    keys = key(c)[order]
    pairs = []
    for w in range(27):
        near = key(c + np.array([w % 3 - 1, w // 3 % 3 - 1, w // 9 - 1]))
        at = np.minimum(np.searchsorted(keys, near), len(keys) - 1)
        hit = np.nonzero(keys[at] == near)[0]
        pairs.append((torch.from_numpy(order[at[hit]]), torch.from_numpy(hit)))
    return pairs


def conv(x, pairs, cout):
    kernel = torch.randn(27, x.shape[1], cout) * 0.01
    y = torch.zeros(x.shape[0], cout)
    for w, (i, o) in enumerate(pairs):
        y.index_add_(0, o, x[i] @ kernel[w])
    return y


def coarser(c):
    cells, index = np.unique(c // 2, axis=0, return_inverse=True)
    return cells, torch.from_numpy(index.reshape(-1))


def down(x, index, count):
    y = torch.zeros(count, x.shape[1]).index_add_(0, index, x)
    n = torch.zeros(count).index_add_(0, index, torch.ones(len(index)))
    return y / (n + 1)[:, None]


def norm(x):
    return F.silu(F.group_norm(x.T[None], 32)[0].T)


def windows(c, shift):
    _, index = np.unique((c + shift) // 8, axis=0, return_inverse=True)
    index = index.reshape(-1)
    order = np.argsort(index, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(index))])
    return torch.from_numpy(order), starts


def block(h, window):
    order, starts = window
    q, k, v = (F.layer_norm(h, (C,)) @ torch.randn(C, 3 * C).mul_(0.02))[order].view(-1, 3, HEADS, C // HEADS).unbind(1)
    out = torch.empty(len(order), C)
    for a, b in zip(starts[:-1], starts[1:]):
        part = F.scaled_dot_product_attention(*(t[a:b].transpose(0, 1)[None] for t in (q, k, v)))
        out[a:b] = part[0].transpose(0, 1).reshape(b - a, C)
    back = torch.empty_like(out)
    back[order] = out
    h = h + back @ torch.randn(C, C).mul_(0.02)
    y = F.gelu(F.layer_norm(h, (C,)) @ torch.randn(C, 4 * C).mul_(0.02), approximate="tanh")
    return h + y @ torch.randn(4 * C, C).mul_(0.02)


cells = np.fromfile(path, dtype=np.int32).reshape(-1, 3)
with torch.inference_mode():
    if mode == "encode":
        grids, maps = [cells], []
        for _ in range(3):
            coarse, index = coarser(grids[-1])
            grids.append(coarse)
            maps.append(index)
        tables = [table(g) for g in grids[1:]]
        split = [windows(grids[3], s) for s in (0, 4)]
        x = torch.randn(len(cells), 1)
        start = time.time()
        h = x @ torch.randn(1, 32)
        for level, width in enumerate((64, 128, 512)):
            count = len(grids[level + 1])
            s = down(h, maps[level], count)
            a = down(norm(h), maps[level], count)
            a = conv(a, tables[level], width)
            h = conv(norm(a), tables[level], width) + s @ torch.randn(s.shape[1], width).mul_(0.1)
        h = h @ torch.randn(C, C).mul_(0.02)
        for b in range(BLOCKS):
            h = block(h, split[b % 2])
        h = F.layer_norm(h, (C,)) @ torch.randn(C, 32)
    else:
        grids = [cells]
        child = np.array([[j >> 2, j >> 1 & 1, j & 1] for j in range(8)], dtype=np.int32)
        for _ in range(3):
            grids.append((grids[-1][:, None] * 2 + child).reshape(-1, 3))
        tables = [table(g) for g in grids]
        split = [windows(cells, s) for s in (0, 4)]
        start = time.time()
        h = torch.randn(len(cells), 16) @ torch.randn(16, C).mul_(0.1)
        for b in range(BLOCKS):
            h = block(h, split[b % 2])
        for level, width in enumerate((128, 64, 32)):
            h = F.silu(conv(h, tables[level], width)).repeat_interleave(8, 0)
            h = F.silu(conv(h, tables[level + 1], width))
        h = torch.tanh(h @ torch.randn(32, 1))
print(f"{time.time() - start:.3f}")
