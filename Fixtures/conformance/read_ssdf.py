"""Reads .ssdf files, written from the page ssdf(5) alone and as plainly as it reads.

Usage: read_ssdf.py FILE...
Prints a line for each grid: its metadata and a SHA-256 over its voxels (i32 x, y, z) and values (f32), in order.
Exits with 1 at the first file that is not valid, saying why; with 77 when a file needs Zstandard and Python has none.
"""
import hashlib, struct, sys, zlib


def zstd(data, size):
    try:
        from compression.zstd import decompress
        return decompress(data)
    except ImportError:
        pass
    try:
        import zstandard
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=size)
    except ImportError:
        sys.exit(77)


class Bytes:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        assert count <= len(self.data) - self.at, "bytes end early"
        self.at += count
        return self.data[self.at - count:self.at]

    def get(self, form):
        fields = struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))
        return fields[0] if len(fields) == 1 else fields

    def text(self):
        return self.take(self.get("I")).decode("utf-8")

    def section(self, codec):
        size, stored = self.get("II")
        data = self.take(stored)
        if stored != size:
            assert stored < size and codec == 1, "bad section"
            data = zstd(data, size)
            assert len(data) == size, "bad frame"
        return data

    def number(self):
        value = shift = 0
        while True:
            byte = self.get("B")
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                assert value < 1 << 32
                return value

    def signed(self):
        return unfold(self.number())

    def end(self):
        assert self.at == len(self.data), "bytes are left over"


class Bits:
    def __init__(self, data):
        self.value, self.left, self.size = int.from_bytes(data, "little"), 0, len(data)

    def take(self, count):
        value = self.value >> self.left & (1 << count) - 1
        self.left += count
        return value

    def end(self):
        assert (self.left + 7) // 8 == self.size, "bits do not fill their bytes"


def unfold(u):
    return -(u + 1) // 2 if u & 1 else u // 2


def wrap(v):
    return (v + (1 << 31)) % (1 << 32) - (1 << 31)


def f32(v):
    return struct.unpack("<f", struct.pack("<f", v))[0]


def chunks(data):
    assert data[:12] == bytes.fromhex("89535344460d0a1a0a000100"), "bad signature"
    at = 12
    while at < len(data):
        kind, flags, length = struct.unpack("<4sIQ", data[at:at + 16])
        assert length <= len(data) - at - 20, "payload past the end"
        crc, = struct.unpack("<I", data[at + 16 + length:at + 20 + length])
        assert crc == zlib.crc32(data[at:at + 16 + length]), "bad checksum"
        yield kind.decode("ascii"), flags, at, Bytes(data[at + 16:at + 16 + length]), length + 20
        at += 20 + length


def grid_header(b):
    g = {}
    g["kind"], g["sign"], g["type"], g["codec"], g["channels"], g["resolution"], g["seed"] = b.get("BBBBIIQ")
    g["iso"], g["truncation"], g["background"], g["confidence"] = b.get("dddd")
    g["index to world"], g["world to source"] = b.get("12d"), b.get("12d")
    for field in ("name", "unit", "source", "tool", "model"):
        g[field] = b.text()
    g["arguments"] = [b.text() for _ in range(b.get("I"))]
    b.end()
    return g


def topology(b, n, first):
    positions = [first]
    for _ in range(n - 1):
        x, y, z = positions[-1]
        step = b.number()
        if step:
            z += step
        else:
            step = b.number()
            if step:
                y += step
            else:
                step = b.number()
                assert step, "bricks do not ascend"
                x += step
                y += b.signed()
            z += b.signed()
        positions.append((x, y, z))
    masks = []
    for _ in range(n):
        differs, rows = b.get("Q"), []
        for r in range(64):
            before = 0 if r == 0 else rows[r - 1] if r % 8 else rows[r - 8]
            rows.append(before ^ b.get("B") if differs >> r & 1 else before)
        masks.append([[[z for z in range(8) if rows[8 * x + y] >> z & 1] for y in range(8)] for x in range(8)])
    b.end()
    return positions, masks


def integers(b, n, m, masks, codec):
    heads = [b.get("i") for _ in range(n)]
    residuals = []
    if b.get("B") == 0:
        for width in b.section(codec):
            bits = Bits(b.take(4 * width))
            residuals += [unfold(bits.take(width)) for _ in range(32)]
    else:
        lengths = b.section(codec)
        bits = Bits(b.take(b.get("I")))
        for length in lengths:
            residuals.append(unfold(1 << length - 1 | bits.take(length - 1)) if length else 0)
        bits.end()
    residual = iter(residuals[:m - n])
    out = []
    for head, mask in zip(heads, masks):
        plane = [[0] * 8 for _ in range(8)]
        sx = sy = sz = 0
        first_x = min(x for x in range(8) if any(mask[x]))
        for x in range(8):
            if not any(mask[x]):
                continue
            rise = [0] * 8
            first_y = min(y for y in range(8) if mask[x][y])
            for y in range(first_y, 8):
                active, step, d = mask[x][y], [0] * 8, 0
                for z in active:
                    if z != active[0]:
                        if x == first_x and y == first_y:
                            sz += next(residual)
                            d += sz
                        else:
                            d += next(residual)
                    elif y != first_y:
                        if x == first_x:
                            sy += next(residual)
                            d = sy
                        else:
                            d = next(residual)
                    elif x != first_x:
                        sx += next(residual)
                        d = sx
                    else:
                        d = head
                    step[z] = d
                for z in range(8):
                    if active and z not in active:
                        step[z] = step[max((a for a in active if a < z), default=active[0])]
                rise = [a + s for a, s in zip(rise, step)]
                for row in range(y + 1) if y == first_y else [y]:
                    plane[row] = [wrap(p + a) for p, a in zip(plane[row], rise)]
                out += [plane[y][z] for z in active]
    return out


def channel(b, g, n, m, masks):
    kind, codec = g["type"], g["codec"]
    scales = [b.get("f") for _ in range(n)] if kind >= 2 else None
    coding = b.get("B")
    size, form = [(4, "f"), (2, "e"), (2, "h"), (1, "b")][kind]
    if coding == 0:
        planes = b.section(codec)
        assert len(planes) == m * size
        raw = [bytes(planes[p * m + i] for p in range(size)) for i in range(m)]
        if kind == 0:  # NaN payloads survive as bits alone
            return raw
        values = [struct.unpack("<" + form, r)[0] for r in raw]
    elif coding == 1:
        values = integers(b, n, m, masks, codec)
        if kind < 2:
            low = (1 << 8 * size - 1) - 1
            values = [v ^ low if v < 0 else v for v in values]
            raw = [(v & (1 << 8 * size) - 1).to_bytes(size, "little") for v in values]
            values = [struct.unpack("<" + form, r)[0] for r in raw]
            if kind == 0:
                return raw
    else:
        e = b.get("h")
        quanta = integers(b, n, m, masks, codec)
        values = [f32(q) * 2.0 ** e for q in quanta]
        if coding == 3:
            bits, values = Bits(b.take(b.get("I"))), []
            p, s = (24, -149) if kind == 0 else (11, -24)
            for q in quanta:
                if q == 0:
                    values.append(struct.unpack("<" + form, bits.take(8 * size).to_bytes(size, "little"))[0])
                else:
                    k = max(0, min(p - abs(q).bit_length(), e - s))
                    magnitude = (abs(q) * 2 ** k + bits.take(k)) * 2.0 ** (e - k)
                    values.append(-magnitude if q < 0 else magnitude)
            bits.end()
    if scales:
        active = [sum(len(row) for plane in mask for row in plane) for mask in masks]
        scale = [s for s, count in zip(scales, active) for _ in range(count)]
        values = [f32(v * s) for v, s in zip(values, scale)]
    return [struct.pack("<f", v) for v in values]


def group(b, g):
    n, m = b.get("II")
    first = b.get("iii")
    assert 1 <= n <= 1024 and n <= m <= 512 * n
    positions, masks = topology(Bytes(b.section(g["codec"])), n, first)
    voxels = [(8 * X + x, 8 * Y + y, 8 * Z + z) for (X, Y, Z), mask in zip(positions, masks)
              for x in range(8) for y in range(8) for z in mask[x][y]]
    assert len(voxels) == m
    values = [channel(b, g, n, m, masks) for _ in range(g["channels"])]
    b.end()
    return voxels, [b"".join(v[i] for v in values) for i in range(m)]


def read(path):
    g, ended = None, False
    for kind, flags, at, payload, size in chunks(open(path, "rb").read()):
        if kind == "GRID":
            g, digest, count = grid_header(payload), hashlib.sha256(), 0
        elif kind == "BRKS":
            for voxel, value in zip(*group(payload, g)):
                digest.update(struct.pack("<iii", *voxel) + value)
                count += 1
        elif kind == "GEND":
            groups, bricks, active = payload.get("QQQ")
            assert active == count, "totals differ"
            print(g["name"], g["kind"], g["type"], g["codec"], g["channels"], g["resolution"], count, digest.hexdigest(),
                  sep="\t")
        elif kind == "FEND":
            index, length = payload.get("QQ")
            ended = at + size == length
        else:
            assert kind == "INDX" or kind[0].islower(), "unknown critical chunk"
    assert ended, "no trailer"


for path in sys.argv[1:]:
    try:
        read(path)
    except AssertionError as error:
        sys.exit(f"{path}: {error}")
