import SSDFCore

/// Runs operations on tensors: allocates their results, hands the work to a back end, and, while it records, notes on
/// a tape what the gradient will need.
///
/// Layers call its methods (one file each, under Operations) and are written once for training and inference. Without
/// a tape nothing is kept but the results, whose memory is reused as they go away.
package final class Compute {
    /// What does the work.
    package let backend: any Backend
    /// Where results get their memory from.
    package let pool: MemoryPool
    private var tape: Tape?
    /// Whether `recomputing` runs for the first time: nothing is recorded, but the way through every layer is the one of
    /// recording, so that the second time gives the same bytes.
    private var isRehearsing = false
    /// Whether layers that offer it (`segment`) run twice instead of keeping what their gradients need.
    package var recomputesSegments = false

    /// - Parameters:
    ///   - threads: upper bound on the threads used. Results do not depend on it.
    ///   - precision: of the dense products.
    ///   - pool: where results get their memory from.
    package convenience init(threads: Int, precision: Precision = .f32, pool: MemoryPool = MemoryPool(lending: 4)) {
        self.init(CPUBackend(threads: threads, precision: precision, pool: pool))
    }

    /// Operations by a back end that is there.
    package init(_ backend: CPUBackend) {
        pool = backend.pool
        self.backend = backend
    }

    /// Operations by a device, which keeps its results in its own memory until someone reads them.
    package init(_ backend: DeviceBackend) {
        pool = backend.pool
        self.backend = backend
    }

    /// Whether operations are being recorded, or will be when they are run again.
    package var isRecording: Bool { tape != nil || isRehearsing }

    /// A tensor with unspecified contents, from the pool.
    package func empty(_ shape: [Int]) -> Tensor {
        Tensor(shape: shape, storage: pool.take(shape.reduce(1, *)))
    }

    /// A tensor of zeros, from the pool.
    package func zeros(_ shape: [Int]) -> Tensor {
        let tensor = empty(shape)
        backend.fill(tensor, with: 0)
        return tensor
    }

    /// Runs `body`, recording; carries the gradient of the number it returns back to the variables it came from; and
    /// returns that number.
    ///
    /// Gradients add to what the variables of parameters already hold, so several calls accumulate.
    /// - Parameter scale: factor on all gradients: 1/k when k calls make one step.
    package func differentiate(scale: Float = 1, _ body: () throws -> Tensor) rethrows -> Float {
        precondition(tape == nil, "already recording")
        let tape = Tape()
        self.tape = tape
        defer { self.tape = nil }
        let loss = try body()
        self.tape = nil
        precondition(loss.count == 1, "only a single number can be differentiated, not \(loss.shape)")
        guard let variable = loss.variable else { return loss.elements[0] }
        let one = empty(loss.shape)
        backend.fill(one, with: scale)
        tape.unwind(from: variable, gradient: one, accumulate: accumulate)
        return loss.elements[0]
    }

    /// Runs `body` without recording: what it returns is a constant to whatever follows.
    package func withoutRecording<Result>(_ body: () throws -> Result) rethrows -> Result {
        let outer = (tape, isRehearsing)
        (tape, isRehearsing) = (nil, false)
        defer { (tape, isRehearsing) = outer }
        return try body()
    }

    /// Runs `body` without keeping what its gradient needs, and runs it again when the gradient comes: less memory for
    /// one more forward pass.
    ///
    /// - Parameters:
    ///   - inputs: what `body` is a function of, besides parameters, which it may use freely.
    package func recomputing(_ inputs: [Tensor], _ body: @escaping ([Tensor]) -> Tensor) -> Tensor {
        guard let outer = tape else { return body(inputs) }
        tape = nil
        isRehearsing = true
        let y = body(inputs.map(\.detached))
        isRehearsing = false
        tape = outer
        var output = y
        let variable = Variable()
        output.variable = variable
        outer.append(
            Tape.Entry(output: variable, inputs: inputs.map(\.variable)) { [self] dy, wanted in
                let inner = Tape()
                let leaves = zip(inputs, wanted).map { input, wanted in
                    var leaf = input.detached
                    if wanted { leaf.variable = Variable() }
                    return leaf
                }
                tape = inner
                let again = body(leaves)
                tape = nil
                if let end = again.variable { inner.unwind(from: end, gradient: dy, accumulate: accumulate) }
                return leaves.map { $0.variable?.gradient }
            })
        return output
    }

    /// A part of a network that runs twice where memory is dearer than time: `recomputing` when `recomputesSegments` is
    /// set, plainly otherwise.
    package func segment(_ inputs: [Tensor], _ body: @escaping ([Tensor]) -> Tensor) -> Tensor {
        recomputesSegments && tape != nil ? recomputing(inputs, body) : body(inputs)
    }

    /// Notes how the gradient of `y` reaches `inputs`, when recording and when some input has a variable.
    func record(
        _ y: Tensor, _ inputs: [Tensor?], gradients: @escaping (_ dy: Tensor, _ wanted: [Bool]) -> [Tensor?]
    ) -> Tensor {
        guard let tape, inputs.contains(where: { $0?.variable != nil }) else { return y }
        var output = y
        let variable = Variable()
        output.variable = variable
        tape.append(Tape.Entry(output: variable, inputs: inputs.map { $0?.variable }, gradients: gradients))
        return output
    }

    /// Where an operation leaves the gradient of `x`: the sum of what has arrived there before, to be added to, or a tensor
    /// of its own where there is none or others see it.
    func gradientRoom(of x: Tensor) -> (tensor: Tensor, adds: Bool) {
        if let sum = x.variable?.takeUnshared() { return (sum, true) }
        return (empty(x.shape), false)
    }

    /// Adds to a variable's gradient, in place when nothing else sees that memory.
    private func accumulate(_ variable: Variable, _ gradient: Tensor) {
        guard var sum = variable.gradient else {
            variable.gradient = gradient
            return
        }
        variable.gradient = nil
        let target = isKnownUniquelyReferenced(&sum.storage) ? sum : empty(sum.shape)
        backend.add(sum, gradient, scale: 1, broadcast: .same, into: target)
        variable.gradient = target
    }
}
