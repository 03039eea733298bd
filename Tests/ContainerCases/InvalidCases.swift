import SSDFCore
import SSDFVolume

/// One invalid conformance file: one rule broken.
package struct InvalidCase: Sendable {
    package var name: String
    package var breaks: String
    package var bytes: [UInt8]
}

/// The invalid conformance files.
///
/// Most are one small valid file, `base`, with one thing altered and all checksums, the index and the trailer made to
/// agree again, so that nothing but the one rule is broken.
package enum InvalidCases {
    package static func all() throws(Failure) -> [InvalidCase] {
        try file() + header() + order() + totals() + groups() + values()
    }

    /// Two bricks, 64 voxels of a plane and one more. In codec none its group is: 0 bricks, 4 active, 8 first brick,
    /// 20 size, 24 stored size, 28 position (1 byte), 29 masks (10 and 11 bytes), 50 coding, 51 exponent, 53 heads, 61
    /// packing, 62 size, 66 stored size, 70 widths (2 bytes), 72 residuals.
    static func base(
        dtype: ValueType = .f32, codec: Codec = .none, divisor: Float = 64
    ) throws(Failure) -> ContainerBytes {
        var voxels: [VoxelCoordinate] = []
        var values: [Float] = []
        for y in Int32(0)..<8 {
            for z in Int32(0)..<8 {
                voxels.append(VoxelCoordinate(0, y, z))
                values.append(Float(y * y - 3 * z + y * z * z) / divisor)
            }
        }
        voxels.append(VoxelCoordinate(0, 0, 8))
        values.append(-4)
        let (allVoxels, allValues) = (voxels, values)
        return ContainerBytes(
            try ValidCases.written(
                [{ ValidCases.volume("g", .sdf, allVoxels, allValues) }], VolumeWriteOptions(dtype: dtype, codec: codec)
            ))
    }

    typealias Edit = (inout ContainerBytes) -> Void

    private static func edited(
        _ name: String, _ breaks: String, _ base: ContainerBytes, keepingIndex: Bool = false, _ edit: Edit
    ) -> InvalidCase {
        var copy = base
        edit(&copy)
        return InvalidCase(name: name, breaks: breaks, bytes: copy.bytes(keepingIndex: keepingIndex))
    }

    /// A case that puts bytes into the payload of the first chunk of a type.
    private static func patched(
        _ name: String, _ breaks: String, _ base: ContainerBytes, _ type: String, at offset: Int, _ bytes: [UInt8],
        keepingIndex: Bool = false
    ) -> InvalidCase {
        edited(name, breaks, base, keepingIndex: keepingIndex) { file in
            let part = file.first(type)
            file.parts[part].payload = file.parts[part].payload.replacing(at: offset, with: bytes)
        }
    }

    private static func file() throws(Failure) -> [InvalidCase] {
        let base = try base()
        let whole = base.bytes()
        let bricks = 12 + base.parts[0].payload.count + 20
        return [
            InvalidCase(name: "no-bytes", breaks: "a file has a signature", bytes: []),
            InvalidCase(
                name: "other-format", breaks: "the signature is that of ssdf",
                bytes: [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0]),
            InvalidCase(
                name: "seven-bits", breaks: "bit 7 of the first byte is set",
                bytes: whole.replacing(at: 0, with: [0x09])),
            InvalidCase(
                name: "text-transfer", breaks: "line ends are as they were",
                bytes: Array(whole[..<5]) + Array(whole[6...])),
            InvalidCase(
                name: "short-signature", breaks: "the signature has 12 bytes", bytes: Array(whole[..<9])),
            InvalidCase(
                name: "version-2", breaks: "the version is known", bytes: whole.replacing(at: 10, with: [2])),
            InvalidCase(
                name: "cut-after-signature", breaks: "a file has a trailer", bytes: Array(whole[..<12])),
            InvalidCase(
                name: "cut-in-bricks", breaks: "a chunk is whole", bytes: Array(whole[..<(bricks + 30)])),
            InvalidCase(
                name: "cut-before-trailer", breaks: "a file has a trailer",
                bytes: Array(whole[..<(whole.count - 36)])),
            InvalidCase(name: "trailing-byte", breaks: "nothing follows the trailer", bytes: whole + [0]),
            InvalidCase(
                name: "bad-checksum", breaks: "checksums agree", bytes: whole.replacing(at: bricks + 20, with: [0xff])),
            InvalidCase(
                name: "huge-payload", breaks: "a payload lies within the file",
                bytes: whole.replacing(at: bricks + 8, with: [255, 255, 255, 255, 255, 255, 255, 127])),
            edited("type-not-letters", "a type is four letters", base) { $0.parts[1].type = [0x42, 0x31, 0x4b, 0x53] },
        ]
    }

    private static func header() throws(Failure) -> [InvalidCase] {
        let base = try base()
        func patch(_ name: String, _ breaks: String, _ offset: Int, _ bytes: [UInt8]) -> InvalidCase {
            patched(name, breaks, base, "GRID", at: offset, bytes)
        }
        func double(_ number: Double) -> [UInt8] { ContainerBytes.bytes(number) }
        let name = 4 + 8 + 8 + 32 + 192
        let fixed = Array(base.parts[0].payload[..<name])
        func texts(_ name: [UInt8], hash: String = "", arguments: UInt32 = 0) -> [UInt8] {
            fixed + ContainerBytes.bytes(UInt32(name.count)) + name + ContainerBytes.bytes(UInt32(0))
                + ContainerBytes.bytes(UInt32(hash.utf8.count)) + Array(hash.utf8) + ContainerBytes.bytes(UInt32(0))
                + ContainerBytes.bytes(UInt32(0)) + ContainerBytes.bytes(arguments)
        }
        func whole(_ name: String, _ breaks: String, _ payload: [UInt8]) -> InvalidCase {
            edited(name, breaks, base) { $0.parts[0].payload = payload }
        }
        return [
            patch("kind-5", "the kind is 0 to 4", 0, [5]),
            patch("sign-method-5", "the sign method is 0 to 4", 1, [5]),
            patch("value-type-4", "the value type is 0 to 3", 2, [4]),
            patch("codec-2", "the codec is 0 or 1", 3, [2]),
            patch("no-channels", "there is a channel", 4, [0, 0, 0, 0]),
            patch("too-many-channels", "channels are at most 8192", 4, [1, 32, 0, 0]),
            patch("huge-resolution", "the resolution is at most 2^30", 8, [1, 0, 0, 64]),
            patch("iso-nan", "the iso value is finite", 20, double(.nan)),
            patch("negative-truncation", "the truncation is not negative", 28, double(-1)),
            patch("infinite-background", "the background is finite", 36, double(.infinity)),
            patch("confidence-2", "the confidence is 0 to 1", 44, double(2)),
            patch("transform-nan", "transforms are finite", 52, double(.nan)),
            patch("flat-transform", "transforms have an inverse", 52, double(0)),
            whole("no-name", "a name has a byte", texts([])),
            whole("name-control", "a name has no control character", texts([0x61, 0x0a])),
            whole("name-not-utf8", "texts are UTF-8", texts([0xff, 0xfe])),
            whole("long-name", "a name has at most 255 bytes", texts([UInt8](repeating: 0x61, count: 256))),
            whole("bad-hash", "a hash is sha256: and 64 digits", texts([0x61], hash: "md5:00")),
            whole("many-arguments", "arguments lie within the chunk", texts([0x61], arguments: 4000)),
            whole("grid-trailing", "nothing follows the arguments", texts([0x61]) + [0]),
            edited("grid-flags", "flags are 0", base) { $0.parts[0].flags = 1 },
        ]
    }

    private static func order() throws(Failure) -> [InvalidCase] {
        let base = try base()
        return [
            edited("unknown-critical", "a critical chunk is known", base) {
                $0.parts.insert(.init(type: Array("NEWS".utf8), flags: 0, payload: [1]), at: 1)
            },
            edited("same-name-twice", "names are unique", base) { $0.parts.insert(contentsOf: $0.parts[..<3], at: 3) },
            edited("grid-in-grid", "a grid ends before the next", base) { $0.parts.insert($0.parts[0], at: 1) },
            edited("bricks-outside", "bricks lie in a grid", base) { $0.parts.insert($0.parts[1], at: 0) },
            edited("end-outside", "GEND ends a grid", base) { $0.parts.insert($0.parts[2], at: 3) },
            edited("grid-without-end", "a grid has an end", base) { $0.parts.remove(at: 2) },
            edited("no-index", "there is an index", base) { $0.parts.remove(at: 3) },
            edited("chunk-after-index", "INDX is followed by FEND", base) {
                $0.parts.insert(.init(type: Array("note".utf8), flags: 0, payload: [1]), at: 4)
            },
            edited("groups-descend", "groups ascend", base) { file in
                file.parts.insert(file.parts[1], at: 1)
                var totals = file.parts[3].payload
                let size = UInt64(2 * (file.parts[1].payload.count + 20))
                totals.replaceSubrange(
                    0..<32,
                    with: [UInt64(2), 4, 130, size].flatMap { ContainerBytes.bytes($0) })
                file.parts[3].payload = totals
            },
        ]
    }

    private static func totals() throws(Failure) -> [InvalidCase] {
        let base = try base()
        func number(_ value: UInt64) -> [UInt8] { ContainerBytes.bytes(value) }
        let indexed = ContainerBytes(base.bytes())
        return [
            patched("wrong-groups", "totals are right: groups", base, "GEND", at: 0, number(2)),
            patched("wrong-bricks", "totals are right: bricks", base, "GEND", at: 8, number(1)),
            patched("wrong-active", "totals are right: active voxels", base, "GEND", at: 16, number(1 << 40)),
            patched("huge-count", "counts are below 2^63", base, "GEND", at: 16, number(.max)),
            patched("wrong-stored", "totals are right: stored bytes", base, "GEND", at: 24, number(7)),
            patched("wrong-minimum", "totals are right: minimum", base, "GEND", at: 32, ContainerBytes.bytes(-0.5)),
            patched("minimum-above-maximum", "values span upwards", base, "GEND", at: 32, ContainerBytes.bytes(9.0)),
            patched(
                "negative-error", "the error bound is not negative", base, "GEND", at: 48, ContainerBytes.bytes(-1.0)),
            patched("wrong-corner", "totals are right: box", base, "GEND", at: 56, [9]),
            edited("short-totals", "GEND has 80 bytes", base) { $0.parts[2].payload.removeLast() },
            patched(
                "index-huge", "the index's counts fit it", indexed, "INDX", at: 20, number(1 << 50), keepingIndex: true),
            patched("index-offset", "the index is right: offset", indexed, "INDX", at: 28, [1], keepingIndex: true),
            patched(
                "index-active", "the index is right: active voxels", indexed, "INDX", at: 48, [9], keepingIndex: true),
            patched("index-box", "the index is right: box", indexed, "INDX", at: 60, [9], keepingIndex: true),
            patched("trailer-offset", "the trailer is right: index", indexed, "FEND", at: 0, [13], keepingIndex: true),
            patched("trailer-length", "the trailer is right: length", indexed, "FEND", at: 8, [1], keepingIndex: true),
        ]
    }

    private static func groups() throws(Failure) -> [InvalidCase] {
        let base = try base()
        func patch(_ name: String, _ breaks: String, _ offset: Int, _ bytes: [UInt8]) -> InvalidCase {
            patched(name, breaks, base, "BRKS", at: offset, bytes)
        }
        func topology(_ name: String, _ breaks: String, _ bytes: [UInt8]) -> InvalidCase {
            edited(name, breaks, base) { file in
                let payload = file.parts[1].payload
                let size = ContainerBytes.bytes(UInt32(bytes.count))
                file.parts[1].payload = Array(payload[..<20]) + size + size + bytes + payload[50...]
            }
        }
        let masks = Array(base.parts[1].payload[29..<50])
        return [
            patch("no-bricks", "a group has a brick", 0, [0, 0, 0, 0]),
            patch("too-many-bricks", "a group has at most 1024 bricks", 0, [1, 4, 0, 0, 1, 4, 0, 0]),
            patch("no-active", "each brick has an active voxel", 4, [1, 0, 0, 0]),
            patch("too-many-active", "a brick has at most 512 voxels", 4, [1, 4, 0, 0]),
            patch("wrong-mask-count", "the masks have so many active voxels", 4, [66, 0, 0, 0]),
            patch("brick-out-of-range", "a position is within 2^28", 16, [0, 0, 0, 0x10]),
            topology("empty-mask", "no mask is empty", [1, 0, 0, 0, 0, 0, 0, 0, 0] + masks[10...]),
            topology("same-brick-twice", "bricks ascend", [0, 0, 0] + masks),
            topology("brick-beyond-range", "later positions are within 2^28", [0xff, 0xff, 0xff, 0xff, 0x0f] + masks),
            topology("long-number", "a number has at most 32 bits", [0xff, 0xff, 0xff, 0xff, 0x7f] + masks),
            topology("endless-number", "a number has at most five bytes", [128, 128, 128, 128, 128, 1] + masks),
            topology("masks-cut", "the masks are whole", [1] + masks.dropLast()),
            topology("masks-trailing", "nothing follows the masks", [1] + masks + [0]),
            topology("no-topology", "a mask takes eight bytes", [1]),
            patch("stored-above-size", "a section is stored in at most its size", 24, [23, 0, 0, 0]),
            patch("compressed-without-codec", "codec none stores sections as they are", 24, [21, 0, 0, 0]),
            edited("group-trailing", "nothing follows the values", base) { $0.parts[1].payload.append(0) },
            edited("group-cut", "a group is whole", base) { $0.parts[1].payload.removeLast() },
        ]
    }

    private static func values() throws(Failure) -> [InvalidCase] {
        let base = try base()
        func patch(_ name: String, _ breaks: String, _ offset: Int, _ bytes: [UInt8]) -> InvalidCase {
            patched(name, breaks, base, "BRKS", at: offset, bytes)
        }
        let quantized = try self.base(dtype: .i16)
        let fractions = try self.base(divisor: 10)
        let entropy = try self.base(codec: .zstd)
        // A frame needs something to shrink.
        let ball = ContainerBytes(
            try ValidCases.written([ValidCases.ball(rounded: true)], VolumeWriteOptions(codec: .zstd)))
        return [
            patch("coding-4", "the coding is 0 to 3", 50, [4]),
            patch("exponent-121", "the exponent is -120 to 120", 51, [121, 0]),
            patch("packing-2", "the packing is 0 or 1", 61, [2]),
            patch("widths-size", "there is a width for each block", 62, [3, 0, 0, 0, 3, 0, 0, 0]),
            patch("width-33", "a width is at most 32", 70, [33]),
            patch("residuals-cut", "residuals are whole", 70, [32]),
            patched("quantised-quanta", "i16 and i8 are plain or integers", quantized, "BRKS", at: 58, [2]),
            patched("scale-nan", "a scale is finite", quantized, "BRKS", at: 50, [0, 0, 0xc0, 0x7f]),
            patched("scale-negative", "a scale is not negative", quantized, "BRKS", at: 50, [0, 0, 0x80, 0xbf]),
            edited("remainders-long", "remainders fill their bytes", fractions) { file in
                // The count of the remainders' bytes is the last number before them.
                var payload = file.parts[1].payload
                let size = remainderSize(payload)
                payload.replaceSubrange(
                    (payload.count - size - 4)..<(payload.count - size), with: ContainerBytes.bytes(UInt32(size + 1)))
                file.parts[1].payload = payload + [0]
            },
            edited("remainders-short", "remainders are whole", fractions) { file in
                var payload = file.parts[1].payload
                let size = remainderSize(payload)
                payload.replaceSubrange(
                    (payload.count - size - 4)..<(payload.count - size), with: ContainerBytes.bytes(UInt32(size - 1)))
                file.parts[1].payload = payload.dropLast()
            },
            edited("length-33", "a length is at most 32", entropy) { file in
                let payload = file.parts[1].payload
                let stored = Int(ContainerBytes.number(payload, 66, 4))
                let size = ContainerBytes.bytes(UInt32(63))
                let lengths = [UInt8](repeating: 33, count: 63)
                file.parts[1].payload = payload[..<62] + size + size + lengths + payload[(70 + stored)...]
            },
            patched("lengths-size", "there is a length for each residual", entropy, "BRKS", at: 62, [200, 0, 0, 0]),
            patched("broken-frame", "a compressed section is a frame", ball, "BRKS", at: 28, [0]),
            edited("frame-of-other-size", "a frame holds what the section says", ball) { file in
                let size = ContainerBytes.number(file.parts[1].payload, 20, 4)
                file.parts[1].payload = file.parts[1].payload.replacing(
                    at: 20, with: ContainerBytes.bytes(UInt32(size + 1)))
            },
        ]
    }

    /// How many bytes at the end are remainders: the count that is followed by exactly so many.
    private static func remainderSize(_ payload: [UInt8]) -> Int {
        (1..<payload.count - 80).first { ContainerBytes.number(payload, payload.count - $0 - 4, 4) == UInt64($0) }!
    }
}
