#!/usr/bin/env python3
"""Writes measured tables into README.md.

usage: Tests/Benchmarks/readme.py FIGURES README [NAME…]

FIGURES is the folder of JSON that Tests/Benchmarks/run fills; README a file in which a table stands between the lines
    <!-- table: NAME -->
and
    <!-- end -->
Each named table (default: all) whose figures are there replaces what stands between its lines; the others stay. With
--names, prints the names that there are. A line between that is no part of the table is lost: prose stands outside.
"""
import json
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def markdown(heads, rows):
    """A table; a first cell equal to the one above it is left empty."""
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    above = None
    for row in rows:
        first = row[0] if row[0] != above else ""
        above = row[0]
        lines.append("| " + " | ".join([first, *row[1:]]) + " |")
    return "\n".join(lines)


def load(figures, name):
    return json.loads((figures / f"{name}.json").read_text())


def times(peer, own, digits=1):
    return f"{peer / own:.{digits}f}×" if peer else "–"


def seconds(value, digits=2):
    return "–" if value is None else f"{value:.{digits}f}"


def machine(figures):
    """One line about the machine that the other tables were measured on."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    flags = Path("/proc/cpuinfo").read_text()
    sets = [name for name, flag in (("AVX-512", "avx512f"), ("bf16", "avx512_bf16"), ("AMX", "amx_tile")) if flag in flags]
    system = re.search(r'PRETTY_NAME="(.*)"', Path("/etc/os-release").read_text())
    count = len([line for line in flags.splitlines() if line.startswith("processor")])
    return f"Measured on {count} cores of {cpu.group(1) if cpu else 'an unknown processor'}" \
        f"{' with ' + ', '.join(sets) if sets else ''}, {system.group(1) if system else 'Linux'}."


def chain(figures):
    rows = [
        [str(r["resolution"]), str(r["threads"]), f"{r['seconds']:.2f}", seconds(r["openvdb_seconds"]),
         times(r["openvdb_seconds"], r["seconds"])]
        for r in load(figures, "chain")
    ]
    # Resolutions are repeated: they are what a reader looks for.
    lines = markdown(["resolution", "threads", "ssdf, s", "OpenVDB, s", "ratio"], []).splitlines()
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def voxelize(figures):
    rows = []
    known = {"armadillo.obj": "armadillo, 86 482 triangles", "turbineblade_loop1.ply": "turbine blade, 796 136 triangles"}
    for r in load(figures, "voxelize"):
        if r["resolution"] == 1024:
            peer = r.get("openvdb_seconds")
            most = r.get("openvdb_peak_bytes")
            rows.append([known.get(r["mesh"], r["mesh"]), str(r["half_width"]), str(r["threads"]), f"{r['seconds']:.2f}",
                         seconds(peer, 1), times(peer, r["seconds"]), f"{r['peak_bytes'] / 1e6:.0f}",
                         f"{most / 1e6:.0f}" if most else "–"])
    return markdown(["mesh", "half width", "threads", "ssdf, s", "OpenVDB, s", "ratio", "ssdf, peak MB", "OpenVDB, peak MB"],
                    rows)


def extract(figures):
    rows = [
        [r["program"], str(r["threads"]), f"{r['seconds']:.3f}", f"{r['peakBytes'] / 1e6:.0f}", f"{r['triangles'] / 1e6:.2f} M",
         str(r["boundaryEdges"] + r["nonManifoldEdges"]), str(r["degenerate"])]
        for r in load(figures, "extract")
    ]
    return markdown(["program", "threads", "s", "peak MB", "triangles", "bad edges", "without area"], rows)


def container(figures):
    found = {}
    for line in (figures / "container.json").read_text().splitlines():
        r = json.loads(line)
        if (r["resolution"], r["half_width"]) == (1024, 8):
            found.setdefault(r["format"], {})[r["threads"]] = r
    rows = []
    for precision, other in (("f32", "f32"), ("f16", "half"), ("i16", None), ("i8", None)):
        formats = [(f"ssdf {precision} zstd", ".ssdf zstd" + (", the default" if precision == "f32" else ""))]
        if other:
            formats += [(f"ssdf {precision} none", ".ssdf none"), (f"vdb {other} blosc", ".vdb blosc"),
                        (f"vdb {other} zip", ".vdb zip")]
        for key, name in formats:
            if key not in found:
                continue
            runs = [found[key][t] for t in sorted(found[key])]
            rows.append([precision, name, f"{runs[0]['bytes'] / runs[0]['voxels']:.2f}",
                         ", ".join(f"{r['write']:.3f}" for r in runs), ", ".join(f"{r['read']:.3f}" for r in runs)])
    return markdown(["precision", "format", "bytes a voxel", "write, s (1, 2 threads)", "read, s (1, 2 threads)"], rows)


def mesh_files(figures):
    found = load(figures, "mesh-files")
    rows = []
    for kind, name in (("ply", "PLY, binary, 89 MB, 4.66 M triangles"), ("obj", "OBJ, 141 MB, 3.57 M triangles")):
        cells = [found.get(f"{who} {kind}", {}).get("read")
                 for who in ("ssdf, 1 thread(s)", "ssdf, 2 thread(s)", "point-cloud-utils", "vtk")]
        rows.append([name] + [seconds(c, 3) for c in cells])
    return markdown(["file", "ssdf, 1 thread", "2 threads", "point-cloud-utils", "VTK"], rows)


def simplification(figures):
    rows = []
    for title, found in load(figures, "remesh").items():
        if " to " not in title:
            continue
        for r in found:
            if "agg 7" in r["program"]:
                continue
            rows.append([title.split()[0], r["program"].replace("agg ", "aggressiveness "), f"{r['seconds']:.2f}",
                         f"{r['mean']:.4f}", f"{r['hausdorff']:.3f}", f"{100 * r['below10']:.2f}%",
                         str(r["boundaryEdges"] + r["nonManifoldEdges"]), str(r["zeroArea"])])
    return markdown(
        ["mesh", "program", "s", "mean", "Hausdorff", "angles below 10°", "bad edges", "without area"], rows)


def isotropic(figures):
    rows = []
    for title, found in load(figures, "remesh").items():
        if "even edges" not in title:
            continue
        mesh = title.replace(", distances in edges", "").replace("even edges of ", "")
        for r in found:
            rows.append([mesh, r["program"], f"{r['seconds']:.2f}", f"{r['mean']:.4f}", f"{r['hausdorff']:.2f}",
                         f"{r['minimumAngle']:.1f}°", f"{r['edgeVariation']:.3f}"])
    return markdown(["mesh, edge", "program", "s", "mean", "Hausdorff", "least angle", "edge variation"], rows)


def autoencoder(figures):
    rows = [
        [f"{r['stage']} {r['resolution']}", f"{r['seconds']:.1f}", f"{r['operations'] / 1e12:.2f}", f"{100 * r['share']:.0f} %",
         f"{r['foreseen'] / 1e9:.2f} GB", f"{r['peakBytes'] / 1e9:.2f} GB",
         f"{r['torchSeconds']:.1f}" if r["torchSeconds"] == r["torchSeconds"] else ""]
        for r in load(figures, "autoencoder")
    ]
    return markdown(
        ["", "seconds", "Tflop", "of sgemm's speed", "memory foreseen", "taken", "PyTorch, seconds"], rows)


def diffusion(figures):
    rows = []
    for r in load(figures, "diffusion"):
        full = 24 * r["torchBlockSeconds"]
        known = full == full
        rows.append([str(r["tokens"]), r["precision"], str(r["threads"]), f"{r['seconds']:.1f}", f"{r['operations'] / 1e12:.1f}",
                     f"{100 * r['share']:.0f} %", f"{r['memory'] / 1e9:.2f} GB", f"{r['foreseen'] / 1e9:.2f} GB",
                     seconds(full if known else None, 0), f"{full / r['seconds']:.1f}×" if known else "–"])
    return markdown(
        ["tokens", "precision", "threads", "seconds", "Tflop", "of the bare product", "memory", "foreseen", "PyTorch, seconds",
         "ratio"], rows)


def neural(figures):
    tables = HERE / "neural/peers/tables.py"
    lines = figures / "neural/lines"
    return subprocess.run([sys.executable, tables, lines], check=True, capture_output=True, text=True).stdout.strip()


# A table's name: what makes it, and which figures it needs.
TABLES = {
    "machine": (machine, None), "chain": (chain, "chain.json"), "voxelize": (voxelize, "voxelize.json"),
    "extract": (extract, "extract.json"), "container": (container, "container.json"), "mesh-files": (mesh_files, "mesh-files.json"),
    "simplification": (simplification, "remesh.json"), "isotropic": (isotropic, "remesh.json"),
    "autoencoder": (autoencoder, "autoencoder.json"), "neural": (neural, "neural/lines"),
    "diffusion": (diffusion, "diffusion.json"),
}
PLACE = re.compile(r"(<!-- table: (?P<name>[\w-]+) -->\n)(?P<body>.*?)(^<!-- end -->$)", re.MULTILINE | re.DOTALL)


def main(arguments):
    if arguments == ["--names"]:
        print("\n".join(TABLES))
        return 0
    if len(arguments) < 2 or arguments[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 64
    figures, readme, wanted = Path(arguments[0]), Path(arguments[1]), arguments[2:]
    text = readme.read_text()
    written = []

    def replaced(match):
        name = match["name"]
        if name not in TABLES:
            raise SystemExit(f"readme: {readme}: table {name}, expected one of {', '.join(TABLES)}")
        make, needs = TABLES[name]
        if (wanted and name not in wanted) or (needs and not (figures / needs).exists()):
            return match[0]
        written.append(name)
        body = make(figures)
        return f"{match[1]}\n{body}\n\n{match[4]}" if "|" in body else f"{match[1]}{body}\n{match[4]}"

    text = PLACE.sub(replaced, text)
    missing = [name for name in wanted if name not in written]
    if missing:
        raise SystemExit(f"readme: no place or no figures for {', '.join(missing)}")
    readme.write_text(text)
    print(f"readme: wrote {', '.join(written) or 'nothing'}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
