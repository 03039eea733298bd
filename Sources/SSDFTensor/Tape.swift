import SSDFCore

/// Where the gradient of one tensor gathers.
///
/// Used by the thread that records and unwinds the tape, and by no other.
package final class Variable: @unchecked Sendable {
    /// The sum of the gradients that have arrived, in the tensor's shape; nil before the first.
    package internal(set) var gradient: Tensor?

    /// A variable that no gradient has arrived at.
    package init() {}

    /// Sets the gradient to a sum that was made elsewhere: over the samples of a batch, over machines.
    package func receive(_ gradient: Tensor) { self.gradient = gradient }

    /// Gives away the sum where nothing else sees its memory, to be added to in place; nil leaves it where it is.
    func takeUnshared() -> Tensor? {
        guard var sum = gradient else { return nil }
        gradient = nil
        if isKnownUniquelyReferenced(&sum.storage) { return sum }
        gradient = sum
        return nil
    }

    /// Forgets the gradient.
    package func reset() { gradient = nil }
}

/// The operations since recording began, with what each needs to turn the gradient of its result into gradients of
/// its operands. Unwound once, from the last operation to the first.
package final class Tape {
    struct Entry {
        let output: Variable
        let inputs: [Variable?]
        /// Gradients of the operands; those whose flag is false are not wanted.
        let gradients: (_ dy: Tensor, _ wanted: [Bool]) -> [Tensor?]
    }

    private var entries: [Entry] = []

    /// A tape without operations.
    package init() {}

    func append(_ entry: Entry) { entries.append(entry) }

    /// Number of operations recorded.
    package var count: Int { entries.count }

    /// Carries the gradient of `variable` back to everything it was computed from. Each entry's memory is released as
    /// soon as it has been used.
    func unwind(from variable: Variable, gradient: Tensor, accumulate: (Variable, Tensor) -> Void) {
        accumulate(variable, gradient)
        while let entry = entries.popLast() {
            guard let dy = entry.output.gradient else { continue }
            entry.output.reset()
            let gradients = entry.gradients(dy, entry.inputs.map { $0 != nil })
            for (input, gradient) in zip(entry.inputs, gradients) {
                if let input, let gradient { accumulate(input, gradient) }
            }
        }
    }
}
