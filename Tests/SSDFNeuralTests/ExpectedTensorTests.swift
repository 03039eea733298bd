import FixtureMeshes
import SSDFCore
import SSDFNeural
import Testing

/// Configurations of the released networks, by the names of the recorded shape lists.
private let released: [(name: String, config: ComponentConfig)] = [
    (
        "sparse_dit v1.0",
        .sparseDiT(config(SparseDiTConfig()) { $0.sparseConditions = true })
    ),
    (
        "sparse_dit v1.1",
        .sparseDiT(
            config(SparseDiTConfig()) {
                $0.compressionBlockSize = 8
                $0.compressionVersion = .v1
            })
    ),
    ("sparse_vae", .sparseVAE(SparseSDFVAEConfig())),
    (
        "dense_dit",
        .denseDiT(
            config(DenseDiTConfig()) {
                $0.patchSize = 1
                $0.qkRMSNorm = true
            })
    ),
    (
        "dense_vae",
        .denseVAE(
            config(DenseShapeVAEConfig()) {
                $0.decoderChannels = [512, 128, 64]
                $0.decoderResBlocks = 4
            })
    ),
    ("refiner", .refiner(RefinerConfig(kind: .values))),
    ("refiner_1024", .refiner(RefinerConfig(kind: .sign))),
    ("dino", .imageEncoder(DinoEncoderConfig())),
]

private func config<Config>(_ base: Config, _ change: (inout Config) -> Void) -> Config {
    var copy = base
    change(&copy)
    return copy
}

/// Expands `blocks.{i}.x` and compares one recorded list with the tensors of a configuration.
private func compare(
    _ tensors: [ExpectedTensor], shapes: [(name: String, shape: [Int], blocks: Int)], complete: Bool, _ label: String
) {
    var byName: [String: [Int]] = [:]
    for tensor in tensors {
        #expect(byName.updateValue(tensor.shape, forKey: tensor.name) == nil, "\(label): \(tensor.name) twice")
    }
    var seen = 0
    for (pattern, shape, blocks) in shapes {
        let parts = pattern.split(separator: "{i}", omittingEmptySubsequences: false)
        for block in 0..<blocks {
            let name = parts.joined(separator: "\(block)")
            #expect(byName[name] == shape, "\(label): \(name)")
            seen += 1
        }
    }
    if complete { #expect(seen == tensors.count, "\(label)") }
}

private func integers(_ node: ConfigNode) -> [Int] {
    guard case .list(let items) = node.value else { return [] }
    return items.map { if case .int(let int) = $0.value { int } else { -1 } }
}

private func pairs(_ node: ConfigNode?) -> [(key: String, node: ConfigNode)] {
    if case .map(let pairs)? = node?.value { pairs } else { [] }
}

private func entry(_ node: ConfigNode, _ key: String) -> ConfigNode? { pairs(node).first { $0.key == key }?.node }

@Suite struct ExpectedTensorTests {
    @Test func listsTheTensorsOfTheReleasedNetworks() throws {
        let root = try ConfigNode(yaml: try textOfFixture("models/released-shapes.json"))
        #expect(pairs(root).count == released.count)
        for (name, config) in released {
            let record = try #require(entry(root, name), "\(name)")
            let tensors = config.expectedTensors
            let elements = tensors.reduce(0) { $0 + $1.shape.reduce(1, *) }
            if case .int(let count)? = entry(record, "elements")?.value { #expect(elements == count, "\(name)") }
            if case .int(let count)? = entry(record, "tensors")?.value { #expect(tensors.count == count, "\(name)") }
            let blocks = Dictionary(
                uniqueKeysWithValues: pairs(entry(record, "blocks")).map { pair in
                    if case .int(let int) = pair.node.value { (pair.key, int) } else { (pair.key, 0) }
                })
            let shapes = pairs(entry(record, "shapes")).map { ($0.key, integers($0.node), blocks[$0.key] ?? 1) }
            #expect(shapes.count > 10)
            compare(tensors, shapes: shapes, complete: false, name)
        }
    }

    @Test func agreesWithTheCompleteRecord() throws {
        guard let folder = SharedData.folder("parity") else { return }
        let root = try ConfigNode(yaml: try text(path: folder + "/state_dict_shapes.json"))
        for (name, config) in released {
            let record = try #require(
                pairs(root).first {
                    $0.key.hasPrefix(name) && ($0.key == name || $0.key.dropFirst(name.count).hasPrefix(" ("))
                })
            let shapes = pairs(entry(record.node, "tensors")).map { pair -> (String, [Int], Int) in
                guard let shape = entry(pair.node, "shape"), case .int(let blocks)? = entry(pair.node, "blocks")?.value
                else { return (pair.key, integers(pair.node), 1) }
                return (pair.key, integers(shape), blocks)
            }
            compare(config.expectedTensors, shapes: shapes, complete: true, name)
        }
    }
}
