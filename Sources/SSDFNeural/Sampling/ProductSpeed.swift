import SSDFCore
import SSDFTensor

/// Operations a second of a product of 1024×1024 matrices on this machine, now: what networks are made of. Takes a few
/// hundredths of a second.
package func productSpeed(threads: Int, precision: Precision) -> Double {
    let compute = Compute(threads: threads, precision: precision)
    let x = Tensor(repeating: 0.5, shape: [2048, 1024])
    let weight = Tensor(repeating: 0.5, shape: [1024, 1024])
    var best = Double.infinity
    // The first round packs the weights and starts the threads.
    for _ in 0..<3 {
        let start = ContinuousClock.now
        _ = compute.linear(x, weight)
        best = min(best, (ContinuousClock.now - start) / .seconds(1))
    }
    return 2 * Double(x.count) * 1024 / max(best, 1e-9)
}
