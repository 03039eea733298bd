import ContainerCases
import SSDFCore
import SSDFVolume
import Testing

/// Files of other programs that lie: each is refused, or read as what it says, and nothing worse happens.
@Suite struct HostileInterchangeTests {
    private func read(_ bytes: [UInt8]) throws {
        let file = inMemory(bytes)
        var options = ImportOptions()
        options.memory = 1 << 24
        switch bytes.withUnsafeBytes({ VolumeFormat(contentOf: $0) }) {
        case .nrrd: _ = try readNRRD(file, options: options)
        default: _ = try readNumpy(file, options: options)
        }
    }

    private func sample(_ layout: ExportOptions.Layout?, isDeflated: Bool) throws -> [UInt8] {
        let volume = SampleVolumes.sphere(resolution: 8)
        var options = ExportOptions()
        options.isDeflated = isDeflated
        let collector = ByteCollector()
        if let layout {
            options.layout = layout
            try writeNumpy(volume, options: options, to: collector.append)
        } else {
            try writeNRRD(volume, options: options, to: collector.append)
        }
        return collector.bytes
    }

    @Test(arguments: [ExportOptions.Layout.voxels, .dense, nil], [true, false])
    func rejectsTruncationAtEveryOffset(layout: ExportOptions.Layout?, isDeflated: Bool) throws {
        let bytes = try sample(layout, isDeflated: isDeflated)
        try read(bytes)
        for count in 0..<bytes.count { #expect(throws: Failure.self) { try read(Array(bytes.prefix(count))) } }
    }

    /// Not all bits are covered by a checksum; no bit may make the reader crash.
    @Test(arguments: [ExportOptions.Layout.voxels, .dense, nil]) func survivesEveryFlippedBit(
        layout: ExportOptions.Layout?
    ) throws {
        let bytes = try sample(layout, isDeflated: true)
        for position in bytes.indices {
            for bit in 0..<8 {
                var damaged = bytes
                damaged[position] ^= 1 << UInt8(bit)
                try? read(damaged)
            }
        }
    }

    @Test(arguments: [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 9223372036854775807, 2), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 9223372036854775807, 9223372036854775807), }",
        "{'descr': '<U0', 'fortran_order': False, 'shape': (9223372036854775807,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 2, 2), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 0), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 99999999999999999999), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1, 1, 1), }",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1, 1, 1), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 1), 'shape': (1, 1, 1), }",
        "{'descr': '<f4', 'fortran_order': __import__('os'), 'shape': (1, 1, 1), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 1), } + 1",
        "{'descr': '<f4', 'fortran_order': False, }", "{'descr", "{", "", "[]",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (" + String(repeating: "1,", count: 100) + "), }",
    ])
    func refusesHeaders(header: String) {
        var file = Npz()
        file.add("values", header: header, [0, 0, 0, 0])
        #expect(throws: Failure.self) { try read(file.bytes) }
        // Alone, as .npy.
        let text = Array((header + "\n").utf8)
        let npy =
            [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(text.count & 255), UInt8(text.count >> 8)] + text + [
                0, 0, 0, 0,
            ]
        #expect(throws: Failure.self) { try read(npy) }
    }

    @Test(
        arguments: [
            ("background", "<f4", [2], [UInt32](repeating: 0, count: 2)),
            ("resolution", "<f4", [], [Float(1).bitPattern]),
            ("seed", "<i4", [], [UInt32(bitPattern: -1)]),
            ("kind", "<U1", [], [0x58]),
            ("name", "<U1", [], [0xd800]),
            ("index_to_world", "<f4", [2, 4], [UInt32](repeating: 0, count: 8)),
            ("origin", "<i4", [2], [0, 0]),
            ("active", "<u4", [1, 1, 2], [1, 1]),
        ] as [(String, String, [Int], [UInt32])])
    func refusesMetadata(name: String, type: String, shape: [Int], numbers: [UInt32]) {
        var file = Npz()
        file.add("values", "<f4", [1, 1, 1], [Float(1).bitPattern])
        #expect(throws: Never.self) { try read(file.bytes) }
        file.add(name, type, shape, numbers)
        let failure = #expect(throws: Failure.self) { try read(file.bytes) }
        #expect("\(failure!)".contains(name), "\(failure!)")
    }

    @Test(arguments: [
        "type: block", "type: float\ntype: float", "dimension: 5", "dimension: x", "sizes: 2 2", "sizes: 2 2 -2",
        "sizes: 4294967296 4294967296 4294967296", "sizes: 2 2 1000000000", "encoding: bzip2", "endian: middle",
        "data file: /etc/passwd", "datafile: x", "byte skip: -1", "line skip: 3", "space directions: (1,0,0) (0,1,0)",
        "space directions: (1,0) (0,1) (1,1)", "space directions: (nan,0,0) (0,1,0) (0,0,1)", "spacings: 1 1",
        "space origin: 1 2", "nonsense",
    ])
    func refusesNRRDFields(line: String) {
        let field = line.prefix { $0 != ":" }
        var lines = ["type: float", "dimension: 3", "sizes: 2 2 2", "endian: little", "encoding: raw"]
        lines.removeAll { $0.hasPrefix("\(field):") }
        lines.append(line)
        let bytes =
            Array(("NRRD0004\n" + lines.joined(separator: "\n") + "\n\n").utf8) + [UInt8](repeating: 1, count: 32)
        #expect(throws: Failure.self) { try read(bytes) }
    }

    @Test func refusesBombs() throws {
        // A member that says it unpacks to more than memory allows, and one that cannot have so much in it.
        let volume = SampleVolumes.sphere(resolution: 8)
        var options = ExportOptions()
        options.layout = .dense
        options.box = VoxelBox(from: VoxelCoordinate(0, 0, 0), through: VoxelCoordinate(255, 255, 127))
        let collector = ByteCollector()
        try writeNumpy(volume, options: options, to: collector.append)
        let failure = #expect(throws: Failure.self) { try read(collector.bytes) }
        #expect(failure?.cause == .unavailable, "\(failure!)")
        let nrrd = ByteCollector()
        try writeNRRD(volume, options: options, to: nrrd.append)
        #expect(throws: Failure.self) { try read(nrrd.bytes) }
    }
}
