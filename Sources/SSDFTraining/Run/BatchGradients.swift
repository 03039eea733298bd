import SSDFCore
import SSDFNeural
import SSDFTensor

/// The gradient of a batch, its samples shared out over threads.
///
/// Each sample has a copy of the network whose parameters share the weights' memory but gather gradients of their own;
/// these are added in the order of the samples. So the sum does not depend on the number of threads, and samples, unlike
/// the rows of one, are work that needs no waiting in between.
package final class BatchGradients<Network: Sendable> {
    /// The network that inference and the optimiser see.
    package let network: Network
    /// The parameters of `network`.
    package let parameters: [Parameter]
    package let threads: Int
    /// For work on the weights, and for networks run outside training.
    package let compute: Compute
    private let copies: [(network: Network, parameters: [Parameter])]
    private let workers: [Compute]

    /// - Parameters:
    ///   - batch: samples of a step.
    ///   - make: the network, its parameters from the source.
    ///   - source: of the weights to start with.
    package init(
        batch: Int, threads: Int, source: ParameterSource, make: (ParameterSource) throws(Failure) -> Network
    ) throws(Failure) {
        network = try make(source)
        parameters = source.registry.parameters
        var tensors: [String: Tensor] = [:]
        for parameter in parameters { tensors[parameter.name] = parameter.value.detached }
        var copies: [(Network, [Parameter])] = []
        for _ in 0..<batch {
            let shared = ParameterSource(tensors: tensors)
            copies.append((try make(shared), shared.registry.parameters))
        }
        self.copies = copies
        self.threads = threads
        compute = Compute(threads: threads)
        let count = min(threads, batch)
        // Threads that find no sample left help with the operations of those that are not done.
        let inner = threads > 1 && batch < 4 * threads ? max(2, (threads + count - 1) / count) : 1
        workers = (0..<count).map { _ in Compute(threads: count == 1 ? threads : inner) }
    }

    package var batch: Int { copies.count }
    /// The weights with their variables, in the order of `parameters`.
    package var weights: [Tensor] { parameters.map(\.value) }

    /// Sets the gradients of `weights` to the mean over the batch and returns what `loss` says of each sample.
    /// - Parameters:
    ///   - order: the samples, those with the most work first.
    ///   - loss: the loss of sample i and whatever is to be told about it.
    package func run<Report: Sendable>(
        order: [Int], _ loss: @Sendable (_ sample: Int, Network, Compute) throws -> (Tensor, Report)
    ) throws -> [Report] {
        let shared = Unchecked((copies, workers))
        let scale = 1 / Float(batch)
        let count = batch
        let results = parallelBatch(count, threads: workers.count) { worker, place -> Result<Report, any Error> in
            let (copies, workers) = shared.value
            let sample = order[place]
            let compute = workers[worker]
            return Result {
                var report: Report?
                _ = try compute.differentiate(scale: scale) {
                    let (value, told) = try loss(sample, copies[sample].network, compute)
                    report = told
                    return value
                }
                return report!
            }
        }
        gatherGradients()
        var reports = [Report?](repeating: nil, count: count)
        for (place, result) in results.enumerated() { reports[order[place]] = try result.get() }
        return reports.map { $0! }
    }

    /// Adds the copies' gradients up in order.
    private func gatherGradients() {
        for (index, parameter) in parameters.enumerated() {
            var sum: Tensor?
            for copy in copies {
                guard let variable = copy.parameters[index].value.variable, let gradient = variable.gradient else {
                    continue
                }
                if let sum {
                    compute.backend.add(sum, gradient, scale: 1, broadcast: .same, into: sum)
                } else {
                    let start = compute.empty(parameter.value.shape)
                    compute.backend.affine(gradient, scale: 1, shift: 0, into: start)
                    sum = start
                }
                variable.reset()
            }
            if let sum { parameter.value.variable?.receive(sum) }
        }
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
