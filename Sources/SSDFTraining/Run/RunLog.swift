import SSDFCore

/// The log of a training run: a JSON line about every step.
///
/// A run that was interrupted went on from an earlier step; what its log says twice counts as it was said last.
package struct RunLog: Sendable {
    /// The file.
    package let path: String
    /// The names of the numbers of its lines, "step" apart, in the order they first come in.
    package private(set) var names: [String] = []
    /// Ascending by step.
    package private(set) var steps: [Int] = []
    /// By name, a number a step; NaN where a line had none.
    private var columns: [String: [Double]] = [:]

    /// - Throws: `noInput`, `inputOutput`; `badData` with the line. A last line that is being written is passed over.
    package init(path: String) throws(Failure) {
        self.path = path
        try forEachJSONLine(of: path, toleratesCut: true) { line, json throws(Failure) in
            guard case .object(let members) = json, let step = json["step"]?.int, step >= 0 else {
                throw .badData(
                    file: path, place: "line \(line)", "no step", expected: "an object with a whole number step")
            }
            if let last = steps.last, step <= last { forget(from: step) }
            steps.append(step)
            for member in members where member.key != "step" {
                guard let value = member.value.double else { continue }
                if columns[member.key] == nil {
                    names.append(member.key)
                    columns[member.key] = [Double](repeating: .nan, count: steps.count - 1)
                }
                columns[member.key]!.append(value)
            }
            for name in names where columns[name]!.count < steps.count { columns[name]!.append(.nan) }
        }
    }

    private mutating func forget(from step: Int) {
        let kept = steps.firstIndex { $0 >= step } ?? steps.count
        steps.removeSubrange(kept...)
        for name in names { columns[name]!.removeSubrange(kept...) }
    }

    /// A number of every step that has it.
    /// - Parameter hours: whether against the time that steps took, "seconds", instead of their numbers.
    /// - Throws: `badData` when no line has that number, with the names that there are.
    package func points(_ name: String, hours: Bool = false) throws(Failure) -> [SIMD2<Double>] {
        guard let values = columns[name], values.contains(where: \.isFinite) else {
            let there = names.isEmpty ? "lines" : names.joined(separator: ", ")
            throw .badData(file: path, "no number \"\(name)\"", expected: "one of \(there)")
        }
        var seconds = [Double](repeating: 0, count: steps.count)
        if hours {
            guard let spent = columns["seconds"] else {
                throw .badData(file: path, "no number \"seconds\"", expected: "one in every line")
            }
            var total = 0.0
            for index in steps.indices {
                total += spent[index].isFinite ? spent[index] : 0
                seconds[index] = total
            }
        }
        return steps.indices.filter { values[$0].isFinite }.map {
            SIMD2(hours ? seconds[$0] / 3600 : Double(steps[$0]), values[$0])
        }
    }
}
