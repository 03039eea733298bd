import Foundation
import SSDFCore
import SSDFNeural
import SSDFTensor

/// A recorded case: a sidecar that names a class and its configuration, tensors going in and coming out, weights.
struct ParityCase {
    let name: String
    /// The reference's class, as the sidecar writes it.
    let referenceClass: String
    let config: [String: Any]
    /// Relative L2 error the sidecar allows; 0 asks for equality.
    let tolerance: Double
    let zeroGradients: Set<String>
    private let tolerances: [String: Double]
    private(set) var floats: [String: Tensor] = [:]
    private(set) var integers: [String: (shape: [Int], values: [Int])] = [:]
    private(set) var weights: [String: Tensor] = [:]

    /// Names of all recorded tensors that a module must reproduce.
    var expected: [String] {
        (Array(floats.keys) + Array(integers.keys)).filter { !$0.hasPrefix("in.") }.sorted()
    }

    init(sidecar: URL) throws {
        let object = try JSONSerialization.jsonObject(with: Data(contentsOf: sidecar))
        guard let fields = object as? [String: Any], let name = fields["case"] as? String,
            let referenceClass = fields["reference_class"] as? String, let data = fields["data_file"] as? String
        else { throw Failure(.badData, file: sidecar.path, "not the sidecar of a recorded case") }
        self.name = name
        self.referenceClass = referenceClass
        config = fields["config"] as? [String: Any] ?? [:]
        let allowed = fields["tolerance"] as? [String: Any]
        tolerance = (allowed?["rel_l2"] as? NSNumber)?.doubleValue ?? 1e-4
        tolerances = (allowed ?? [:]).compactMapValues { ($0 as? NSNumber)?.doubleValue }
        zeroGradients = Set(fields["analytically_zero_grads"] as? [String] ?? [])
        let folder = sidecar.deletingLastPathComponent()
        try read(folder.appendingPathComponent(data))
        if let file = fields["weights_file"] as? String {
            try readWeights(folder.appendingPathComponent(file))
        }
        if let formula = fields["weights_formula"] as? [String: Any] { try makeWeights(formula) }
    }

    private mutating func read(_ url: URL) throws {
        let file = try SafetensorsFile(path: url.path)
        for entry in file.entries {
            switch entry.type {
            case .f32, .f16, .bf16, .f64:
                floats[entry.name] = Tensor(try file.floats(of: entry).array, shape: entry.shape)
            default:
                let bytes = file.bytes(of: entry)
                let width = entry.type.byteCount
                let values = (0..<entry.elementCount).map { index -> Int in
                    switch width {
                    case 8: Int(bytes.loadUnaligned(fromByteOffset: index * 8, as: Int64.self))
                    case 4: Int(bytes.loadUnaligned(fromByteOffset: index * 4, as: Int32.self))
                    case 2: Int(bytes.loadUnaligned(fromByteOffset: index * 2, as: Int16.self))
                    default: Int(bytes[index])
                    }
                }
                integers[entry.name] = (entry.shape, values)
            }
        }
    }

    private mutating func readWeights(_ url: URL) throws {
        let file = try SafetensorsFile(path: url.path)
        for entry in file.entries {
            weights[entry.name] = Tensor(try file.floats(of: entry).array, shape: entry.shape)
        }
    }

    /// Weights that a formula defines, because they are too large to store.
    private mutating func makeWeights(_ formula: [String: Any]) throws {
        let seed = (formula["case_seed"] as? NSNumber)?.uint64Value ?? 0
        for (name, value) in formula["tensors"] as? [String: [String: Any]] ?? [:] {
            let shape = (value["shape"] as? [NSNumber] ?? []).map(\.intValue)
            let scale = (value["scale"] as? NSNumber)?.floatValue ?? 0
            let offset = (value["offset"] as? NSNumber)?.floatValue ?? 0
            var hash: UInt64 = 0xcbf2_9ce4_8422_2325
            for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
            hash ^= seed
            let count = shape.reduce(1, *)
            let elements = (0..<count).map { index -> Float in
                var z = hash &+ UInt64(index + 1) &* 0x9E37_79B9_7F4A_7C15
                z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
                z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
                z ^= z >> 31
                return offset + scale * (Float(z >> 40) * 0x1p-23 - 1)
            }
            for (index, first) in (value["first4"] as? [NSNumber] ?? []).enumerated() where index < count {
                guard abs(elements[index] - first.floatValue) <= 1e-6 * max(1, abs(first.floatValue)) else {
                    throw Failure(.badData, "\(name)[\(index)] by formula is \(elements[index]), expected \(first)")
                }
            }
            weights[name] = Tensor(elements, shape: shape)
        }
    }

    // MARK: What modules ask for

    func integer(_ key: String) throws -> Int {
        guard let number = config[key] as? NSNumber else { throw Failure(.badData, "\(name): no \(key) in the config") }
        return number.intValue
    }

    func integer(_ key: String, default value: Int) -> Int { (config[key] as? NSNumber)?.intValue ?? value }

    func tolerance(_ key: String, default value: Double) -> Double { tolerances[key] ?? value }

    func integers(_ key: String) -> [Int] { (config[key] as? [NSNumber] ?? []).map(\.intValue) }

    func number(_ key: String, default value: Double) -> Double { (config[key] as? NSNumber)?.doubleValue ?? value }

    func flag(_ key: String) -> Bool { (config[key] as? NSNumber)?.boolValue ?? false }

    func string(_ key: String, default value: String) -> String { config[key] as? String ?? value }

    func input(_ key: String) throws -> Tensor {
        if let tensor = floats["in.\(key)"] { return tensor }
        guard let (shape, values) = integers["in.\(key)"] else {
            throw Failure(.badData, "\(name): no tensor in.\(key)")
        }
        return Tensor(values.map { Float($0) }, shape: shape)
    }

    func coordinates(_ key: String = "coords") throws -> CoordinateSet {
        guard let (shape, values) = integers["in.\(key)"], shape.count == 2, shape[1] == 4 else {
            throw Failure(.badData, "\(name): no coordinates in.\(key)")
        }
        let rows = Buffer<SIMD4<Int32>>(uninitialized: shape[0])
        for row in 0..<shape[0] {
            for axis in 0..<4 { rows.pointer[row][axis] = Int32(values[row * 4 + axis]) }
        }
        return try CoordinateSet(rows)
    }

    func sparse() throws -> SparseTensor {
        SparseTensor(features: try input("feats"), coordinates: try coordinates())
    }

    var source: ParameterSource { ParameterSource(tensors: weights) }

    func weight(_ name: String) throws -> Tensor {
        guard let tensor = weights[name] else { throw Failure(.badData, "\(self.name): no weight \(name)") }
        return tensor
    }
}

/// A tensor that a module computed.
enum ParityValue {
    case floats(Tensor)
    case integers([Int])
    /// Packed points in any order: each has a recorded one so near, and each recorded one has one of these.
    case points([Float], tolerance: Double)
    /// Numbers that each come so near, relative to the recorded one.
    case numbers([Double], relative: Double)

    static func coordinates(_ set: CoordinateSet) -> ParityValue {
        .integers((0..<set.count).flatMap { row in (0..<4).map { Int(set.rows.pointer[row][$0]) } })
    }
}
