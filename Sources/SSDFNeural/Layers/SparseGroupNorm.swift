import SSDFCore
import SSDFTensor

/// Group norm over all voxels of a batch item. Parameters `weight` and `bias`, `[C]`; ε 1e-5.
package struct SparseGroupNorm: Sendable {
    /// `[C]`
    package let weight: Parameter
    /// `[C]`
    package let bias: Parameter
    /// Groups that channels are divided into, each normalised alone.
    package let groups: Int
    /// Added to a group's variance.
    package let epsilon: Float

    /// The groups of a layer narrower than the norm was made for: the largest divisor that both have.
    package static func groups(_ wanted: Int, channels: Int) -> Int {
        var (a, b) = (wanted, channels)
        while b != 0 { (a, b) = (b, a % b) }
        return a
    }

    /// - Throws: `badData` when the groups do not divide the channels, or from the source.
    package init(
        _ source: ParameterSource, channels: Int, groups: Int = 32, epsilon: Float = 1e-5
    ) throws(Failure) {
        guard groups > 0, channels % groups == 0 else {
            throw .badData("\(channels) channels in \(groups) groups", expected: "a multiple of the groups")
        }
        weight = try source.parameter("weight", [channels])
        bias = try source.parameter("bias", [channels])
        self.groups = groups
        self.epsilon = epsilon
    }

    /// Features on the same voxels, normed over groups of channels.
    package func callAsFunction(_ x: SparseTensor, _ compute: Compute) -> SparseTensor {
        x.with(
            compute.groupNorm(
                x.features, groups: groups, weight: weight.value, bias: bias.value, epsilon: epsilon,
                segments: x.coordinates.layout))
    }
}
