import SSDFCore

/// Walks what a pickle left and lists its tensors with their names.
///
/// A pickle can make a small structure look enormous (the same dictionary under many keys, at many levels), or endless
/// (a dictionary within itself): depth, visits and the length of names are bounded.
struct CheckpointCollector {
    private static let maximumDepth = 16
    private static let maximumVisits = 1 << 18
    /// How often all entries may be visited: a part that goes by a few names is no trick.
    private static let maximumUses = 16
    private static let maximumNameLength = 1024

    private(set) var tensors: [CheckpointTensor] = []
    private(set) var others: [String] = []
    private let interpreter: PickleInterpreter
    private var visits = 0
    private let mostVisits: Int

    init(_ interpreter: PickleInterpreter) {
        self.interpreter = interpreter
        let entries = interpreter.dicts.reduce(0) { $0 + $1.count }
        mostVisits = min(Self.maximumVisits, Self.maximumUses * entries)
    }

    /// - Throws: `badData` when the root is not a dictionary, a key is not a text or appears twice, or a bound is passed.
    mutating func collect(_ root: PickleValue) throws(Failure) {
        guard case .dict(let dict) = root else {
            throw .badData("\(root.kind) at the top of the checkpoint", expected: "a dict of tensors")
        }
        try collect(dict: dict, path: [], length: 0)
    }

    private mutating func collect(dict: Int, path: [String], length: Int) throws(Failure) {
        guard path.count < Self.maximumDepth else {
            throw .badData(
                place: path.prefix(4).joined(separator: ".") + "…", "dictionaries nested more than \(path.count) deep",
                expected: "a checkpoint")
        }
        var keys: Set<String> = []
        for (key, value) in interpreter.dicts[dict] {
            visits += 1
            guard visits <= mostVisits else {
                throw .badData("more than \(mostVisits) entries, counting those used again", expected: "a checkpoint")
            }
            guard case .string(let name) = key else {
                // Optimisers and the like number their entries; weights have names.
                others.append((path + ["(\(key.kind))"]).joined(separator: ".") + ": \(value.kind)")
                continue
            }
            guard keys.insert(name).inserted else {
                throw .badData(place: path.joined(separator: "."), "two entries \"\(name)\"", expected: "one")
            }
            let length = length + name.utf8.count + 1
            guard length <= Self.maximumNameLength else {
                throw .badData(
                    place: String(name.prefix(40)) + "…", "a name of \(length) bytes",
                    expected: "at most \(Self.maximumNameLength)")
            }
            try collect(value, path: path + [name], length: length)
        }
    }

    private mutating func collect(_ value: PickleValue, path: [String], length: Int) throws(Failure) {
        switch value {
        case .dict(let dict): try collect(dict: dict, path: path, length: length)
        case .tensor(let index):
            let tensor = interpreter.tensors[index]
            tensors.append(
                CheckpointTensor(
                    path: path, type: tensor.type, shape: tensor.shape, storage: tensor.storage, offset: tensor.offset,
                    strides: tensor.strides))
        default: others.append(path.joined(separator: ".") + ": \(value.kind)")
        }
    }
}
