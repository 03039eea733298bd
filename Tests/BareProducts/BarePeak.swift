import SSDFCore
import SSDFTensor

/// What stands for the peak of the machine: the best bare products of a library, one chain of single-threaded products a
/// processor, all at once, of a shape that suits it.
package final class BarePeak: Sendable {
    private let chains: [@Sendable () -> Void]
    /// Floating-point operations of a run.
    package let work: Double

    /// - Parameter precision: of the operands; results are f32.
    package init(threads: Int, precision: Precision = .f32) {
        let (rows, inputs, outputs, repeats) = (1536, 1024, 1024, 3)
        work = 2 * Double(rows * inputs) * Double(outputs * repeats * threads)
        chains = (0..<threads).map { _ in
            if precision == .f32 {
                let product = BareProduct(rows: rows, inputs: inputs, outputs: outputs, threads: 1)
                return { for _ in 0..<repeats { product.run() } }
            }
            let product = BareBrainFloat(rows: rows, inputs: inputs, outputs: outputs, threads: 1)
            return { for _ in 0..<repeats { product.run() } }
        }
    }

    package func run() {
        parallelFor(chains.count, threads: chains.count) { range in
            for chain in range { chains[chain]() }
        }
    }

    /// Floating-point operations a second: the best of several runs.
    package func measured() -> Double {
        work / (0..<8).map { _ in BareProduct.seconds(run) }.min()!
    }
}
