import SSDFCore
import SSDFTensor

/// The noise levels of a sampling run, σ falling from 1 to 0, and Euler's step between them (SPEC §11).
///
/// Source: Esser et al., "Scaling Rectified Flow Transformers for High-Resolution Image Synthesis", 2024, §5.3.2.
package struct FlowMatchingSchedule: Sendable, Equatable {
    /// `[steps + 1]`; the last is 0.
    package let sigmas: [Float]
    /// `[steps]`: σ on the scale that networks are told, 0 … 1000.
    package let timesteps: [Float]

    /// f(τ) = sτ/(1 + (s − 1)τ) of τ falling evenly from 1 to f(1/trained): the lower end is shifted already when the
    /// levels are shifted, which the released networks expect (SPEC Q12).
    package init(_ config: SchedulerConfig, steps: Int) {
        precondition(steps > 0)
        let s = config.shift
        func shifted(_ τ: Double) -> Double { s * τ / (1 + (s - 1) * τ) }
        let lowest = Double(Float(shifted(1 / Double(config.trainTimesteps))))
        let levels = (0..<steps).map { index -> Double in
            let τ = steps == 1 ? 1 : 1 + (lowest - 1) * Double(index) / Double(steps - 1)
            return shifted(τ)
        }
        sigmas = levels.map { Float($0) } + [0]
        timesteps = levels.map { Float($0 * Double(config.trainTimesteps)) }
    }

    /// Steps of a run.
    package var steps: Int { timesteps.count }

    /// x + (σᵢ₊₁ − σᵢ)·v.
    package func step(_ index: Int, _ x: Tensor, velocity: Tensor, _ compute: Compute) -> Tensor {
        compute.add(x, velocity, scale: sigmas[index + 1] - sigmas[index])
    }
}

/// Classifier-free guidance: v = u + w·(c − u) of the velocities with and without a condition.
///
/// Source: Ho, Salimans, "Classifier-Free Diffusion Guidance", 2022, §3.2.
package func guided(_ conditional: Tensor, _ unconditional: Tensor, scale: Float, _ compute: Compute) -> Tensor {
    compute.add(unconditional, compute.add(conditional, unconditional, scale: -1), scale: scale)
}
