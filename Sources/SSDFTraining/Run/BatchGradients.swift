import SSDFCore
import SSDFNeural
import SSDFTensor

/// The gradient of a step: micro-batches one after the other, each cut into groups of samples that are shared out over
/// threads.
///
/// Each group has a copy of the network whose parameters share the weights' memory but gather gradients of their own;
/// these are added in the order of the groups. So the sum does not depend on the number of threads, and groups, unlike
/// the rows of one, are work that needs no waiting in between.
///
/// All weights lie in one block of memory, those that decay first, and so do their gradients: what is done to each
/// number of them is one parallel loop, not one a tensor.
package final class BatchGradients<Network: Sendable> {
    /// The network that inference and the optimiser see.
    package let network: Network
    /// The parameters of `network`.
    package let parameters: [Parameter]
    /// The memory behind the parameters.
    package let weights: FlatParameters
    /// To work on; the gradient does not depend on it.
    package let threads: Int
    /// Micro-batches of a step, on all processes together.
    package let accumulation: Int
    /// How processes add up.
    package let reduction: any GradientReduction
    /// For work on the weights, and for networks run outside training.
    package let compute: Compute
    private let copies: [(network: Network, parameters: [Parameter])]
    private let workers: [Compute]
    private let total: Tensor
    /// A micro-batch's gradient, where it is not the total.
    private let own: Tensor?

    /// - Parameters:
    ///   - groups: of a micro-batch.
    ///   - accumulation: micro-batches of a step: a multiple of the processes.
    ///   - make: the network, its parameters from the source.
    ///   - source: of the weights to start with.
    ///   - device: runs the networks, one group after the other, and the optimiser.
    package init(
        groups: Int, accumulation: Int = 1, threads: Int, reduction: any GradientReduction = SingleProcess(),
        source: ParameterSource, device: DevicePlugin? = nil, make: (ParameterSource) throws(Failure) -> Network
    ) throws(Failure) {
        guard accumulation % reduction.count == 0 else {
            throw .badData(
                place: "accumulation", "\(accumulation) micro-batches a step on \(reduction.count) processes",
                expected: "a multiple of the processes")
        }
        _ = try make(source)
        weights = FlatParameters(source.registry.parameters)
        let own = ParameterSource(tensors: weights.tensors)
        network = try make(own)
        parameters = own.registry.parameters
        var copies: [(Network, [Parameter])] = []
        for _ in 0..<groups {
            let shared = ParameterSource(tensors: weights.tensors)
            copies.append((try make(shared), shared.registry.parameters))
        }
        self.copies = copies
        self.threads = threads
        self.accumulation = accumulation
        self.reduction = reduction
        if let device {
            compute = Compute(DeviceBackend(device, threads: threads))
            workers = [compute]
        } else {
            compute = Compute(threads: threads)
            workers = Self.workers(groups: groups, threads: threads)
        }
        total = Tensor(repeating: 0, shape: weights.all.shape)
        self.own = accumulation > 1 ? Tensor(repeating: 0, shape: weights.all.shape) : nil
    }

    private static func workers(groups: Int, threads: Int) -> [Compute] {
        let count = min(threads, groups)
        // Threads without a group of their own help with the operations of the others.
        let inner = groups < threads ? max(2, (threads + count - 1) / count) : 1
        return (0..<count).map { _ in Compute(threads: count == 1 ? threads : inner) }
    }

    /// Groups of a micro-batch.
    package var groups: Int { copies.count }

    /// The most bytes that the tensors of a worker's group held at one time.
    package var peakBytes: Int { workers.reduce(0) { max($0, $1.pool.peakBytes) } }

    /// Whether the networks' segments run twice instead of keeping what their gradients need.
    package var recomputesSegments: Bool {
        get { workers[0].recomputesSegments }
        set { for worker in workers { worker.recomputesSegments = newValue } }
    }

    /// The numbers of this process's micro-batches of a step, that of the first sample of each, and that of the one that
    /// this process takes after it.
    func microBatches(
        ofStep step: Int, _ optimization: OptimizationConfig
    ) -> [(number: Int, first: Int, next: Int)] {
        let numbers = Array(stride(from: reduction.rank, to: accumulation, by: reduction.count))
        let firsts = numbers.map { step * optimization.samples + $0 * optimization.batch }
        let nexts = firsts.dropFirst() + firsts.prefix(1).map { $0 + optimization.samples }
        return zip(numbers, zip(firsts, nexts)).map { ($0, $1.0, $1.1) }
    }

    /// Adds the gradient of a micro-batch, and returns what `loss` says of each group, those of all processes in the
    /// order of micro-batches.
    /// - Parameters:
    ///   - order: the groups, those with the most work first.
    ///   - loss: the mean loss of a group's samples, and numbers to be told about it, as many for every group; they are
    ///     asked for when the gradient has been computed, so that a device need not stop in the middle.
    package func add(
        microBatch: Int, order: [Int]? = nil,
        _ loss: @Sendable (_ group: Int, Network, Compute) throws -> (Tensor, told: () -> [Double])
    ) throws -> [[Double]] {
        let shared = Unchecked((copies, workers))
        let scale = 1 / Float(groups * accumulation)
        let count = groups
        let order = order ?? Array(0..<count)
        let results = parallelBatch(count, threads: workers.count) { worker, place -> Result<[Double], any Error> in
            let (copies, workers) = shared.value
            let group = order[place]
            let compute = workers[worker]
            return Result {
                var told: (() -> [Double])?
                _ = try compute.differentiate(scale: scale) {
                    let (value, numbers) = try loss(group, copies[group].network, compute)
                    told = numbers
                    return value
                }
                return told!()
            }
        }
        var told = [[Double]](repeating: [], count: count)
        try reduction.together {
            for (place, result) in results.enumerated() { told[order[place]] = try result.get() }
        }
        try gatherGradients(isFirst: microBatch < reduction.count)
        guard reduction.count > 1 else { return told }
        let width = told[0].count
        let all = try reduction.gather(told.flatMap { $0 })
        return stride(from: 0, to: all.count, by: max(width, 1)).map { Array(all[$0..<$0 + width]) }
    }

    /// Gives the weights their gradients: the mean over the step's samples.
    package func finish() { weights.receive(total) }

    /// Adds the copies' gradients up in order.
    private func gatherGradients(isFirst: Bool) throws {
        let target = own ?? total
        compute.backend.addUp(
            copies.map { $0.parameters.map(\.gradient) }, into: weights.parts(of: target))
        for copy in copies {
            for parameter in copy.parameters { parameter.value.variable?.reset() }
        }
        guard let own else { return }
        try reduction.add(
            own.elements, to: UnsafeMutableBufferPointer(start: total.pointer, count: total.count), isFirst: isFirst)
    }
}

/// The results of `body` for `0..<count`, in order; the body is told which worker it runs on.
private func parallelBatch<Result: Sendable>(
    _ count: Int, threads: Int, _ body: @Sendable (_ worker: Int, Int) -> Result
) -> [Result] {
    [Result](unsafeUninitializedCapacity: count) { storage, initialized in
        let results = Unchecked(storage.baseAddress)
        parallelFor(count, threads: threads) { worker, range in
            for index in range { (results.value! + index).initialize(to: body(worker, index)) }
        }
        initialized = count
    }
}
