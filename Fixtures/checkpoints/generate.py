#!/usr/bin/env python3
"""Writes the checkpoints in this folder with the standard library alone.

The pickles are made by Python's own pickler from stand-ins that carry the names PyTorch uses, so they have the
instructions that torch.save produces, in every protocol. Values are small integers: exact in every element type.
"""

import collections
import io
import json
import os
import pickle
import struct
import sys
import types
import zipfile

here = os.path.dirname(os.path.abspath(__file__))

# name: (storage class, dtype, safetensors type, struct code)
kinds = {
    "f64": ("DoubleStorage", "float64", "F64", "d"),
    "f32": ("FloatStorage", "float32", "F32", "f"),
    "f16": ("HalfStorage", "float16", "F16", "e"),
    "bf16": ("BFloat16Storage", "bfloat16", "BF16", None),
    "i64": ("LongStorage", "int64", "I64", "q"),
    "i32": ("IntStorage", "int32", "I32", "i"),
    "i16": ("ShortStorage", "int16", "I16", "h"),
    "i8": ("CharStorage", "int8", "I8", "b"),
    "u8": ("ByteStorage", "uint8", "U8", "B"),
    "bool": ("BoolStorage", "bool", "BOOL", "?"),
    "u16": (None, "uint16", "U16", "H"),
}


def module(name):
    made = types.ModuleType(name)
    sys.modules[name] = made
    return made


torch = module("torch")
torch._utils = module("torch._utils")
torch.storage = module("torch.storage")
torch.serialization = module("torch.serialization")


def named(function, where, name):
    function.__module__ = where.__name__
    function.__name__ = function.__qualname__ = name
    setattr(where, name, function)
    return function


rebuild_v2 = named(lambda *a: None, torch._utils, "_rebuild_tensor_v2")
rebuild_v3 = named(lambda *a: None, torch._utils, "_rebuild_tensor_v3")
rebuild_parameter = named(lambda *a: None, torch._utils, "_rebuild_parameter")
for storage_name, _, _, _ in kinds.values():
    if storage_name:
        setattr(torch, storage_name, type(storage_name, (), {"__module__": "torch"}))
torch.storage.UntypedStorage = type("UntypedStorage", (), {"__module__": "torch.storage"})
torch.Size = type("Size", (tuple,), {"__module__": "torch", "__reduce__": lambda self: (torch.Size, (tuple(self),))})


class DType:
    def __init__(self, name):
        self.name = name

    def __reduce__(self):
        return self.name


for _, dtype_name, _, _ in kinds.values():
    # A string from __reduce__ is a global of the object's module.
    dtype = DType(dtype_name)
    dtype.__module__ = "torch"
    setattr(torch, dtype_name, dtype)


def encoded(kind, values):
    code = kinds[kind][3]
    if kind == "bf16":
        return b"".join(struct.pack("<f", value)[2:] for value in values)
    if kind == "bool":
        return bytes(1 if value else 0 for value in values)
    return b"".join(struct.pack("<" + code, value) for value in values)


class Storage:
    def __init__(self, key, kind, values):
        self.key, self.kind, self.values = str(key), kind, list(values)

    @property
    def bytes(self):
        return encoded(self.kind, self.values)


def strides_of(shape):
    strides, step = [], 1
    for side in reversed(shape):
        strides.insert(0, step)
        step *= max(side, 1)
    return strides


class Tensor:
    def __init__(self, storage, shape, offset=0, strides=None):
        self.storage, self.shape, self.offset = storage, tuple(shape), offset
        self.strides = tuple(strides if strides is not None else strides_of(shape))

    def arguments(self):
        return (self.storage, self.offset, self.shape, self.strides, False, collections.OrderedDict())

    def __reduce__(self):
        if kinds[self.storage.kind][0]:
            return (rebuild_v2, self.arguments())
        return (rebuild_v3, self.arguments() + (getattr(torch, kinds[self.storage.kind][1]),))

    def values(self):
        def walk(side, position):
            if side == len(self.shape):
                return [self.storage.values[position]]
            return [v for i in range(self.shape[side]) for v in walk(side + 1, position + i * self.strides[side])]

        return walk(0, self.offset)


class Parameter(Tensor):
    def __reduce__(self):
        return (rebuild_parameter, (Tensor(self.storage, self.shape, self.offset, self.strides), True, collections.OrderedDict()))


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        if not isinstance(value, Storage):
            return None
        storage_name = kinds[value.kind][0]
        if storage_name:
            return ("storage", getattr(torch, storage_name), value.key, "cpu", len(value.values))
        return ("storage", torch.storage.UntypedStorage, value.key, "cpu", len(value.bytes))


def pickled(tree, protocol):
    stream = io.BytesIO()
    Pickler(stream, protocol=protocol).dump(tree)
    return stream.getvalue()


class Pipe(io.RawIOBase):
    """A stream that cannot seek: zip members written to it need data descriptors."""

    def __init__(self, stream):
        self.stream = stream

    def writable(self):
        return True

    def write(self, data):
        return self.stream.write(data)


def archive(members, compression=zipfile.ZIP_STORED, piped=False, wide=False):
    stream = io.BytesIO()
    with zipfile.ZipFile(Pipe(stream) if piped else stream, "w") as target:
        for name, data in members:
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = compression
            with target.open(info, "w", force_zip64=wide) as member:
                member.write(data)
    return stream.getvalue()


def checkpoint(tree, storages, protocol=2, order="little", **options):
    members = [("model/data.pkl", pickled(tree, protocol)), ("model/byteorder", order.encode())]
    members += [(f"model/data/{storage.key}", storage.bytes) for storage in storages]
    members += [("model/version", b"3\n")]
    return archive(members, **options)


def flatten(tree, path=()):
    if isinstance(tree, Tensor):
        yield ".".join(path), tree
    elif isinstance(tree, dict):
        for key, value in tree.items():
            yield from flatten(value, path + (key,))


def safetensors(tensors):
    header, data = {}, b""
    for name, tensor in tensors:
        content = encoded(tensor.storage.kind, tensor.values())
        header[name] = {
            "dtype": kinds[tensor.storage.kind][2],
            "shape": list(tensor.shape),
            "data_offsets": [len(data), len(data) + len(content)],
        }
        data += content
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def save(name, content):
    with open(os.path.join(here, name), "wb") as file:
        file.write(content)


def tensors():
    """One of each element type, and every way a tensor can lie in its storage."""
    storages = [Storage(i, kind, [(7 * j) % 5 for j in range(6)]) for i, kind in enumerate(kinds)]
    every = {kind: Tensor(storage, (2, 3)) for kind, storage in zip(kinds, storages)}
    shared = Storage("shared", "f32", range(60))
    storages.append(shared)
    empty = Storage("empty", "f32", [])
    storages.append(empty)
    views = collections.OrderedDict()
    views["offset"] = Tensor(shared, (4,), 5)
    views["transposed"] = Tensor(shared, (5, 4), 20, (1, 5))
    views["expanded"] = Tensor(shared, (3, 2), 9, (0, 1))
    views["one_of_three"] = Tensor(shared, (4, 2), 0, (9, 3))
    views["inner_transposed"] = Tensor(shared, (2, 3, 4), 2, (12, 1, 3))
    views["scalar"] = Tensor(shared, (), 59)
    views["single_sides"] = Tensor(shared, (1, 6, 1), 30, (77, 1, 5))
    views["parameter"] = Parameter(shared, (2, 2), 40)
    views["same"] = views["offset"]
    views["empty"] = Tensor(empty, (0, 3))
    # What torch sets on the state dictionary of a module.
    views._metadata = collections.OrderedDict([("", {"version": 1})])
    tree = {"types": every, "views": views, "epoch": 12, "loss": 0.25, "name": "tiny", "best": None, "flags": [True, False]}
    return tree, storages


def refused(tree, storages):
    class Call:
        def __reduce__(self):
            return (os.system, ("false",))

    class Evaluate:
        def __reduce__(self):
            return (eval, ("1",))

    class Plain:
        pass

    Plain.__module__, Plain.__qualname__ = "torch.serialization", "Plain"
    torch.serialization.Plain = Plain
    for name, value in [("system", Call()), ("eval", Evaluate()), ("object", Plain()), ("bytes", b"x"), ("set", {1})]:
        save(f"refused-{name}.pth", checkpoint({"a": value}, [], protocol=4))
    save("refused-big-endian.pth", checkpoint(tree, storages, order="big"))
    save("refused-script.pth", archive([("model/data.pkl", pickled({}, 2)), ("model/constants.pkl", pickled((), 2))]))
    legacy = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2) + pickle.dumps(1001, protocol=2)
    save("refused-legacy.pth", legacy + pickle.dumps({"little_endian": True}, protocol=2) + pickled(tree, 2))
    loop = {}
    loop["loop"] = loop
    save("refused-endless.pth", checkpoint(loop, []))
    wide = {"leaf": 0}
    for _ in range(15):
        wide = {f"k{i}": wide for i in range(10)}
    save("refused-bomb.pth", checkpoint(wide, []))
    short = Storage(0, "f32", range(5))
    save("refused-overrun.pth", checkpoint({"a": Tensor(short, (2, 3))}, [short]))
    save("refused-overrun-stride.pth", checkpoint({"a": Tensor(short, (2, 2), 0, (4, 1))}, [short]))
    huge = Tensor(short, (1 << 32, 1 << 32), 0, (0, 0))
    save("refused-huge.pth", checkpoint({"a": huge}, [short]))
    save("refused-missing-storage.pth", checkpoint({"a": Tensor(short, (5,))}, []))


def main():
    tree, storages = tensors()
    save("expected.safetensors", safetensors(list(flatten(tree))))
    for protocol in range(2, 6):
        save(f"protocol{protocol}.pth", checkpoint(tree, storages, protocol))
    save("deflated.pth", checkpoint(tree, storages, compression=zipfile.ZIP_DEFLATED))
    save("piped.pth", checkpoint(tree, storages, piped=True))
    save("zip64.pth", checkpoint(tree, storages, wide=True))
    save("piped-zip64-deflated.pth", checkpoint(tree, storages, piped=True, wide=True, compression=zipfile.ZIP_DEFLATED))
    refused(tree, storages)


if __name__ == "__main__":
    main()
