#!/usr/bin/env python3
"""Writes measured tables into README.md.

usage: Tests/Benchmarks/readme.py FIGURES README [NAME…]
       Tests/Benchmarks/readme.py --print FIGURES NAME

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
    found = load(figures, "autoencoder")

    def beside(r, precision):
        seconds = next(o["torchSeconds"] for o in found
                       if (o["stage"], o["resolution"], o["precision"]) == (r["stage"], r["resolution"], precision))
        return f"{seconds:.1f} ({seconds / r['seconds']:.1f}×)" if seconds == seconds else ""

    rows = [
        [f"{r['stage']} {r['resolution']}", r["precision"], f"{r['seconds']:.1f}", f"{r['operations'] / 1e12:.2f}",
         f"{100 * r['share']:.0f} %", f"{r['foreseen'] / 1e9:.2f} GB", f"{r['peakBytes'] / 1e9:.2f} GB",
         beside(r, "f32"), beside(r, "bf16") if r["precision"] == "bf16" else ""]
        for r in found
    ]
    return markdown(
        ["", "precision", "seconds", "Tflop", "of the bare product", "memory foreseen", "taken", "PyTorch f32, seconds",
         "PyTorch bf16, seconds"], rows)


def training(figures):
    rows = []
    for line in (figures / "training.jsonl").read_text().splitlines():
        r = json.loads(line)
        passes = r.get("forward_passes_a_step")
        rows.append([r["stage"], str(r["threads"]), f"{r['samples_per_second']:.1f}", f"{100 * r['share']:.0f} %",
                     "–" if passes is None else f"{passes:.2f}"])
    return markdown(["stage", "threads", "samples/s", "of the bare product", "forward passes a step"], rows)


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


def model(figures):
    found = load(figures, "model")
    shapes, meshes = found["shapes"], found["meshes"]

    def mean(rows, *keys):
        values = []
        for row in rows:
            for key in keys:
                row = row[key]
            values.append(float(row))
        return sum(values) / len(values)

    rows = [["mesh → latents → mesh at 128³, F-score at 1 voxel", f"{mean(shapes, 'f_score'):.3f}"]]
    if meshes:
        rows.append([f"the same on {len(meshes)} closed meshes of elsewhere, mean", f"{mean(meshes, 'f_score'):.3f}"])
    closed = min(mean(shapes, "closed"), mean(shapes, "generated", "closed"), mean(shapes, "on_true_structure", "closed"))
    rows += [
        ["picture → cells of 16³ with a surface, IoU", f"{mean(shapes, 'structure_iou'):.3f}"],
        ["picture → shape, volumetric IoU at 64³", f"{mean(shapes, 'generated', 'iou'):.3f}"],
        [f"shapes nearer to their own truth than to the {len(shapes) - 1} others",
         f"{100 * mean(shapes, 'generated', 'identified'):.0f} %"],
        ["on the true cells, the same two",
         f"{mean(shapes, 'on_true_structure', 'iou'):.3f}, {100 * mean(shapes, 'on_true_structure', 'identified'):.0f} %"],
        ["closed, oriented, manifold", f"{100 * closed:.0f} %"],
    ]
    return markdown(["", ""], rows)


def summary(figures):
    """A row of each of the other tables, with the strongest peer there; none where the mesh or the peer was not there."""
    def one(rows, **wanted):
        return next(r for r in rows if all(r[key] == value for key, value in wanted.items()))

    def whole_way():
        r = one(load(figures, "chain"), resolution=1024, threads=2, mesh="armadillo.obj")
        return ["mesh → volume → mesh, 1024 a side, armadillo", f"{r['seconds']:.2f} s", f"{r['openvdb_seconds']:.2f} s, OpenVDB"]

    def to_volume():
        r = one(load(figures, "voxelize"), mesh="turbineblade_loop1.ply", resolution=1024, half_width=3, threads=2)
        return ["mesh → volume, 1024, turbine blade, 0.8 M triangles", f"{r['seconds']:.2f} s",
                f"{r['openvdb_seconds']:.1f} s, OpenVDB"]

    def size():
        lines = [json.loads(line) for line in (figures / "container.json").read_text().splitlines()]
        large = [r for r in lines if (r["resolution"], r["half_width"]) == (1024, 8)]
        own, peer = one(large, format="ssdf f32 zstd"), one(large, format="vdb f32 blosc")
        return ["bytes of an f32 voxel on disk", f"{own['bytes'] / own['voxels']:.2f}",
                f"{peer['bytes'] / peer['voxels']:.2f}, OpenVDB with blosc"]

    def reading():
        files = load(figures, "mesh-files")
        return ["reading a PLY of 4.66 M triangles", f"{files['ssdf, 2 thread(s) ply']['read']:.3f} s",
                f"{files['point-cloud-utils ply']['read']:.3f} s, point-cloud-utils"]

    def simplified():
        found = next(v for k, v in load(figures, "remesh").items() if k.startswith("armadillo") and " to " in k)
        own, peer = one(found, program="ssdf"), next(r for r in found if "agg 3" in r["program"])
        return ["1.16 M triangles to 10%, one thread",
                f"{own['seconds']:.2f} s, mean {own['mean']:.4f}, Hausdorff {own['hausdorff']:.3f} voxels",
                f"{peer['seconds']:.2f} s, {peer['mean']:.4f}, {peer['hausdorff']:.3f}, fast-simplification"]

    def even():
        found = next(v for k, v in load(figures, "remesh").items() if k.startswith("armadillo, even edges of 0.012"))
        own, peer = one(found, program="ssdf, 6 rounds"), one(found, program="CGAL, 10 iterations")
        return ["even triangles on the armadillo, one thread",
                f"{own['seconds']:.2f} s, mean {own['mean']:.3f} edges, least angle {own['minimumAngle']:.1f}°",
                f"{peer['seconds']:.2f} s, {peer['mean']:.3f}, {peer['minimumAngle']:.1f}°, CGAL"]

    def network(stage, title):
        def row():
            r = next(r for r in load(figures, "autoencoder") if (r["stage"], r["resolution"], r["precision"]) == (stage, 512, "f32")
                     and r["torchSeconds"] == r["torchSeconds"])
            return [title, f"{r['seconds']:.1f} s", f"{r['torchSeconds']:.1f} s, PyTorch"]
        return row

    rows = []
    for make in (whole_way, to_volume, size, reading, simplified, even,
                 network("encode", "encode a volume of 512, released size"), network("decode", "decode it")):
        try:
            rows.append(make())
        except (StopIteration, KeyError, TypeError):
            pass
    return markdown(["", "ssdf", "the strongest peer there"], rows)


# A table's name: what makes it, and which figures it needs.
TABLES = {
    "machine": (machine, None), "chain": (chain, "chain.json"), "voxelize": (voxelize, "voxelize.json"),
    "extract": (extract, "extract.json"), "container": (container, "container.json"), "mesh-files": (mesh_files, "mesh-files.json"),
    "simplification": (simplification, "remesh.json"), "isotropic": (isotropic, "remesh.json"),
    "autoencoder": (autoencoder, "autoencoder.json"), "neural": (neural, "neural/lines"),
    "diffusion": (diffusion, "diffusion.json"), "training": (training, "training.jsonl"), "model": (model, "model.json"),
    "summary": (summary, ["chain.json", "voxelize.json", "container.json", "mesh-files.json", "remesh.json",
                          "autoencoder.json"]),
}
PLACE = re.compile(r"(<!-- table: (?P<name>[\w-]+) -->\n)(?P<body>.*?)(^<!-- end -->$)", re.MULTILINE | re.DOTALL)


def main(arguments):
    if arguments == ["--names"]:
        print("\n".join(TABLES))
        return 0
    if len(arguments) == 3 and arguments[0] == "--print" and arguments[2] in TABLES:
        print(TABLES[arguments[2]][0](Path(arguments[1])))
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
        needs = [needs] if isinstance(needs, str) else needs or []
        if (wanted and name not in wanted) or not all((figures / file).exists() for file in needs):
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
