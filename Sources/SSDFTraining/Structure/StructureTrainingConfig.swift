import SSDFCore
import SSDFNeural

/// How the dense structure auto-encoder is trained: the section `structure` of a configuration's `training`.
package struct StructureTrainingConfig: Sendable, Equatable {
    /// The batch, the optimiser and the schedule.
    package var optimization = OptimizationConfig()
    /// Samples that go through the network together, on one thread; a divisor of the batch.
    package var group = 1
    /// Weight of the latents' divergence from a unit Gaussian.
    package var divergence = 1e-3
    /// Cells along the cube's side; 0 for what the dense transformer's latents decode to, or 64 without one.
    package var resolution = 0
    /// Shapes that the scale of the latents is measured on.
    package var measured = 256

    /// The defaults.
    package init() {}

    /// - Throws: `badData` with line and key.
    package init(_ reader: inout ConfigReader) throws(Failure) {
        optimization = try OptimizationConfig(&reader, steps: 3000, batch: 64)
        group = try reader.int("group", default: group, in: 1...256)
        divergence = try reader.double("divergence", default: divergence, in: 0...1e3)
        resolution = try reader.int("resolution", default: resolution, in: 0...256)
        measured = try reader.int("measured", default: measured, in: 1...1_000_000)
        try reader.finish()
        guard optimization.batch % group == 0 else {
            throw .badData(
                place: "\(reader.path).group", "\(group)", expected: "a divisor of the batch, \(optimization.batch)")
        }
    }

    /// Groups of a micro-batch.
    var groups: Int { optimization.batch / group }
}
