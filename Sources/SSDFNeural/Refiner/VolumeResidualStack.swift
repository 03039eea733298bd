import SSDFCore
import SSDFTensor

/// Group norm over all voxels of a volume. Parameters `weight`, `bias`; ε 1e-5.
struct VolumeGroupNorm: Sendable {
    let weight: Parameter
    let bias: Parameter
    let groups: Int

    init(_ source: ParameterSource, channels: Int, groups: Int) throws(Failure) {
        guard channels % groups == 0 else {
            throw .badData("\(channels) channels in \(groups) groups", expected: "a multiple of the groups")
        }
        weight = try source.parameter("weight", [channels])
        bias = try source.parameter("bias", [channels])
        self.groups = groups
    }

    /// SiLU(norm x) of `[B, X, Y, Z, C]`.
    func activated(_ x: Tensor, _ compute: Compute) -> Tensor {
        let channels = x.shape[4]
        let items = x.shape[0]
        let voxels = x.count / items / channels
        let normed = compute.groupNorm(
            compute.reshape(x, [items * voxels, channels]), groups: groups, weight: weight.value, bias: bias.value,
            segments: (0..<items).map { $0 * voxels..<($0 + 1) * voxels })
        return compute.reshape(compute.apply(.silu, normed), x.shape)
    }
}

/// conv2(SiLU(norm2(conv1(SiLU(norm1 x))))) + x, where widths differ with a 1×1×1 convolution of x (SPEC §13).
/// Parameters `norm1`, `conv1`, `norm2`, `conv2`, `conv_shortcut`.
struct RefinerBlock: Sendable {
    let norm1: VolumeGroupNorm
    let conv1: VolumeConvolution
    let norm2: VolumeGroupNorm
    let conv2: VolumeConvolution
    let shortcut: VolumeConvolution?

    init(_ source: ParameterSource, inputs: Int, outputs: Int, groups: Int) throws(Failure) {
        norm1 = try VolumeGroupNorm(source.scoped("norm1"), channels: inputs, groups: groups)
        conv1 = try VolumeConvolution(source.scoped("conv1"), inputs: inputs, outputs: outputs, window: .three)
        norm2 = try VolumeGroupNorm(source.scoped("norm2"), channels: outputs, groups: groups)
        conv2 = try VolumeConvolution(source.scoped("conv2"), inputs: outputs, outputs: outputs, window: .three)
        shortcut =
            inputs == outputs
            ? nil
            : try VolumeConvolution(source.scoped("conv_shortcut"), inputs: inputs, outputs: outputs, window: .one)
    }

    func callAsFunction(_ x: Tensor, _ compute: Compute) -> Tensor {
        var h = conv1(norm1.activated(x, compute), compute)
        h = conv2(norm2.activated(h, compute), compute)
        return compute.add(h, shortcut.map { $0(x, compute) } ?? x)
    }
}
