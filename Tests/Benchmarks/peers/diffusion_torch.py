"""The sparse transformer's forward pass in PyTorch on the CPU in bf16, with full attention in place of sparse attention.

usage: diffusion_torch.py TOKENS THREADS BLOCKS

The released size: 1024 channels, 32 heads of 32, keys and values of 32 heads too, cross attention to 1374 image tokens,
a feed-forward of 4096. Runs BLOCKS of the 24 blocks twice and prints the seconds of one block, the better of the two.
"""
import sys, time
import torch
import torch.nn.functional as F

tokens, threads, blocks = (int(x) for x in sys.argv[1:4])
torch.set_num_threads(threads)
torch.manual_seed(0)
C, HEADS, LENGTH = 1024, 32, 1374
TYPE = torch.bfloat16


def weight(outputs, inputs):
    return (torch.randn(outputs, inputs) / inputs**0.5).to(TYPE)


def heads(x):
    return x.view(1, x.shape[0], HEADS, C // HEADS).transpose(1, 2)


def merged(x):
    return x.transpose(1, 2).reshape(x.shape[2], C)


def block(h, context, w):
    shift1, scale1, gate1, shift2, scale2, gate2 = w["modulation"]
    q, k, v = F.linear(F.layer_norm(h, (C,)) * (1 + scale1) + shift1, w["qkv"]).chunk(3, dim=1)
    h = h + gate1 * F.linear(merged(F.scaled_dot_product_attention(heads(q), heads(k), heads(v))), w["out"])
    k, v = F.linear(context, w["kv"]).chunk(2, dim=1)
    q = F.linear(F.layer_norm(h, (C,)), w["q"])
    h = h + F.linear(merged(F.scaled_dot_product_attention(heads(q), heads(k), heads(v))), w["cross_out"])
    x = F.layer_norm(h, (C,)) * (1 + scale2) + shift2
    return h + gate2 * F.linear(F.gelu(F.linear(x, w["expand"]), approximate="tanh"), w["contract"])


with torch.inference_mode():
    w = {
        "modulation": [torch.randn(C).to(TYPE) for _ in range(6)], "qkv": weight(3 * C, C), "out": weight(C, C),
        "q": weight(C, C), "kv": weight(2 * C, C), "cross_out": weight(C, C), "expand": weight(4 * C, C),
        "contract": weight(C, 4 * C),
    }
    x, context = torch.randn(tokens, C).to(TYPE), torch.randn(LENGTH, C).to(TYPE)
    best = float("inf")
    for _ in range(2 if tokens < 30000 else 1):
        start = time.perf_counter()
        h = x
        for _ in range(blocks):
            h = block(h, context, w)
        best = min(best, time.perf_counter() - start)
print(f"{best / blocks:.3f}")
