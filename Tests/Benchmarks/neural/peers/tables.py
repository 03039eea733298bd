"""Tables in Markdown from the JSON lines of the neural benchmark and its peers: tables.py LINES"""

import json
import sys

rows = [json.loads(line) for line in open(sys.argv[1])]
own = [row for row in rows if "program" not in row]
peers = {(row["part"], row["case"], row["threads"]): row for row in rows if "program" in row}


def table(title, heads, lines):
    if not lines:
        return
    print(f"\n{title}\n")
    print("| " + " | ".join(heads) + " |")
    print("|" + "---|" * len(heads))
    for line in lines:
        print("| " + " | ".join(line) + " |")


def percent(x):
    return f"{100 * x:.0f} %"


def part(name):
    return [row for row in own if row["part"] == name]


table(
    "Linear layers, GFLOP/s",
    ["rows × inputs → outputs", "threads", "f32", "cblas_sgemm", "share", "bf16", "bare oneDNN", "share"],
    [
        [r["case"], str(r["threads"]), f"{r['gflops']:.0f}", f"{r['sgemm']:.0f}", percent(r["share"]), f"{r['bf16']:.0f}",
         f"{r['bf16_bare']:.0f}", percent(r["bf16_share"])]
        for r in part("linear")
    ],
)
lines = []
for r in part("convolution"):
    peer = peers.get(("convolution", r["case"], r["threads"]))
    lines.append(
        [r["case"], str(r["threads"]), f"{r['rows']:.0f}", f"{r['gflops']:.0f}", percent(r["share"]),
         percent(r["share_with_map"]), f"{peer['gflops']:.0f} ({percent(peer['gflops'] / peer['peak'])})" if peer else "–"]
    )
table(
    "Sparse convolution, GFLOP/s, and share of a large sgemm measured in turns with it",
    ["resolution, channels", "threads", "voxels", "ssdf", "share", "with kernel map", "torch gather–matmul–index_add"], lines)
lines = []
for r in part("attention"):
    peer = peers.get(("attention", r["case"], r["threads"]))
    lines.append(
        [r["case"], str(r["threads"]), f"{r['gflops']:.0f}", percent(r["share"])]
        + ([f"{peer['gflops']:.0f}", f"{r['gflops'] / peer['gflops']:.1f}×"] if peer else ["–"] * 2)
        + [f"{r['bf16']:.0f}" if "bf16" in r else "–"])
table("Attention, GFLOP/s, and share of a large sgemm", ["shape", "threads", "ssdf f32", "share", "torch f32", "ratio", "ssdf bf16"], lines)

full = [row for row in rows if row["part"] == "full"]


def whole(key, tokens):
    """Seconds of full attention: measured, or from the largest measured by N²."""
    measured = [row for row in full if key in row]
    if not measured:
        return None, ""
    exact = [row for row in measured if row["tokens"] == tokens]
    if exact:
        return exact[0][key], ""
    largest = max(measured, key=lambda row: row["tokens"])
    return largest[key] * (tokens / largest["tokens"]) ** 2, "*"


lines, runs = [], part("ssa")
for r in runs:
    line = [f"{r['tokens']:.0f}", f"{r['cells']:.0f}"]
    for key in ("forward", "backward"):
        seconds = r[f"{key}_s"]
        peer, mark = whole(f"{key}_s", r["tokens"])
        line += [f"{seconds:.2f} s", f"{peer:.1f} s{mark}" if peer else "–", f"{peer / seconds:.0f}×" if peer else "–",
                 percent(r[f"{key}_share"]), f"{r[f'{key}_extra']:.2f}×"]
    lines.append(line)
table(
    "Spatial sparse attention beside full attention by torch (* extrapolated by N² from its largest measured size)",
    ["tokens", "cells", "forward", "full", "ratio", "of sgemm", "extra memory", "backward", "full", "ratio", "of sgemm", "extra memory"],
    lines)
by_size = {r["tokens"]: r for r in runs}
if 32768 in by_size and 131072 in by_size:
    a, b = by_size[32768], by_size[131072]
    for key in ("forward", "backward"):
        growth, work = b[f"{key}_s"] / a[f"{key}_s"], b[f"{key}_gflop"] / a[f"{key}_gflop"]
        shares = a[f"{key}_share"] / b[f"{key}_share"]
        print(f"\n{key}, 32768 → 131072 tokens: time grows {growth:.2f}×, flops {work:.2f}×: {growth / work:.2f}×,"
              f" {shares:.2f}× beside the sgemm in turns with each")
