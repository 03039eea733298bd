import SSDFCore
import SSDFTensor

/// How the tensors of a file differ from those a configuration asks for.
package struct TensorComparison: Sendable, Equatable {
    /// Names that are not there.
    package var missing: [String] = []
    /// Names that nothing asks for.
    package var unexpected: [String] = []
    /// Name, sides or type found, and what was expected.
    package var mismatched: [Mismatch] = []

    /// A tensor that differs from what was expected.
    package struct Mismatch: Sendable, Equatable {
        /// Its name.
        package var name: String
        /// What is there.
        package var found: String
        /// What was to be there.
        package var expected: String
    }

    /// Whether every tensor is as it should be.
    package var isEmpty: Bool { missing.isEmpty && unexpected.isEmpty && mismatched.isEmpty }

    /// - Complexity: O(tensors).
    package init(expected: [ExpectedTensor], found: [(name: String, type: ElementType, shape: [Int])]) {
        var byName: [String: (type: ElementType, shape: [Int])] = [:]
        for tensor in found { byName[tensor.name] = (tensor.type, tensor.shape) }
        for tensor in expected {
            guard let (type, shape) = byName.removeValue(forKey: tensor.name) else {
                if !tensor.isOptional { missing.append(tensor.name) }
                continue
            }
            if shape != tensor.shape {
                mismatched.append(Mismatch(name: tensor.name, found: "\(shape)", expected: "\(tensor.shape)"))
            } else if !type.isWeight {
                mismatched.append(Mismatch(name: tensor.name, found: type.rawValue, expected: "F16, BF16, F32 or F64"))
            }
        }
        unexpected = found.map(\.name).filter { byName[$0] != nil }
    }

    /// What is wrong, on one line: how many of each kind, and the first few.
    package var summary: String {
        var parts: [String] = []
        if !missing.isEmpty { parts.append("\(missing.count) missing (\(Self.first(missing)))") }
        if !unexpected.isEmpty { parts.append("\(unexpected.count) unexpected (\(Self.first(unexpected)))") }
        if !mismatched.isEmpty {
            let texts = mismatched.map { "\($0.name): \($0.found), expected \($0.expected)" }
            parts.append("\(mismatched.count) of another shape or type (\(Self.first(texts, separator: "; ")))")
        }
        return parts.joined(separator: ", ")
    }

    private static func first(_ names: [String], separator: String = ", ") -> String {
        names.prefix(3).joined(separator: separator) + (names.count > 3 ? "\(separator)…" : "")
    }
}
