import SSDFCore

/// What several networks' configurations have in common.
extension ConfigReader {
    /// The number of heads: `num_heads`, or what `num_head_channels` (default 64) makes of the width.
    mutating func heads(channels: Int) throws(Failure) -> Int {
        let width = try int("num_head_channels", default: 64)
        let heads = try int("num_heads", default: max(1, channels / width))
        guard channels % heads == 0 else {
            throw .badData(
                place: "\(path).num_heads", "\(heads)", expected: "a divisor of the \(channels) channels")
        }
        return heads
    }

    /// The hidden layer's width over the model's: a positive number, 4 when absent.
    mutating func ratio(_ key: String) throws(Failure) -> Double {
        let ratio = try double(key, default: 4)
        guard ratio > 0, ratio <= 64 else {
            throw .badData(place: "\(path).\(key)", "\(ratio)", expected: "a number above 0 and at most 64")
        }
        return ratio
    }

    /// One of the cases of an enumeration, by its name in the file.
    mutating func choice<Choice: RawRepresentable & CaseIterable>(
        _ key: String, default fallback: Choice
    ) throws(Failure) -> Choice where Choice.RawValue == String {
        let name = try string(key, default: fallback.rawValue)
        guard let choice = Choice(rawValue: name) else {
            let names = Choice.allCases.map(\.rawValue).joined(separator: " or ")
            throw .badData(place: "\(path).\(key)", "\"\(name)\"", expected: names)
        }
        return choice
    }

    /// Refuses position embeddings other than the absolute ones of the released networks.
    mutating func requireAbsolutePositions() throws(Failure) {
        let mode = try string("pe_mode", default: "ape")
        guard mode == "ape" else {
            throw .badData(place: "\(path).pe_mode", "\"\(mode)\"", expected: "ape (absolute position embedding)")
        }
    }
}
