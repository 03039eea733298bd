import SSDFCore
import SSDFTensor

/// Four linear layers with ReLU between them, voxel by voxel. Parameters `net.0`, `net.2`, `net.4`, `net.6`.
package struct FeatureDecoder: Sendable {
    let layers: [Linear]

    /// - Throws: what the source throws.
    package init(_ source: ParameterSource, inputs: Int, outputs: Int) throws(Failure) {
        var layers: [Linear] = []
        for index in 0..<4 {
            layers.append(
                try Linear(
                    source.scoped("net.\(2 * index)"), inputs: inputs, outputs: index == 3 ? outputs : inputs))
        }
        self.layers = layers
    }

    /// `[N, inputs]` → `[N, outputs]`
    package func callAsFunction(_ x: Tensor, _ compute: Compute) -> Tensor {
        layers.dropFirst().reduce(layers[0](x, compute)) { $1(compute.apply(.relu, $0), compute) }
    }
}

/// The refiner of values: a patch of distances, with the decoder's features, to better distances (SPEC §13).
package struct ValueRefiner: Sendable {
    /// What makes the network's features of the decoder's.
    package let features: FeatureDecoder
    let entry: VolumeConvolution
    let network: VolumeUNet
    let filters: [AdaptiveFilter]
    let middle: VolumeConvolution
    let exit: VolumeConvolution

    /// - Throws: what the source throws.
    package init(_ source: ParameterSource, _ config: RefinerConfig) throws(Failure) {
        let body = RefinerConfig.bodyChannels
        let width = config.blockChannels[0]
        features = try FeatureDecoder(
            source.scoped("latent_mlp"), inputs: RefinerConfig.featureChannels, outputs: body)
        entry = try VolumeConvolution(
            source.scoped("conv_in"), inputs: config.inChannels, outputs: body, window: .three)
        network = try VolumeUNet(
            source.scoped("unet3d1"), inputs: 2 * body, widths: config.blockChannels, layers: config.layersPerBlock,
            middleLayers: config.layersMidBlock)
        var filters: [AdaptiveFilter] = []
        for number in 1...3 {
            filters.append(
                try AdaptiveFilter(source.scoped("adaptive_conv\(number)"), channels: number == 1 ? width : body))
        }
        self.filters = filters
        middle = try VolumeConvolution(source.scoped("mid_conv"), inputs: width, outputs: body, window: .three)
        exit = try VolumeConvolution(
            source.scoped("conv_out"), inputs: body, outputs: config.outChannels, window: .three)
    }

    /// - Parameters:
    ///   - distances: `[1, X, Y, Z, 1]`, in the network's units, 1 where there is nothing.
    ///   - features: `[1, X, Y, Z, 8]`, what `features` makes of the decoder's.
    ///   - observe: sees what the network and the middle convolution make; for tests.
    /// - Returns: `[1, X, Y, Z, 1]`
    package func callAsFunction(
        distances: Tensor, features: Tensor, _ compute: Compute, observe: (String, Tensor) -> Void = { _, _ in }
    ) -> Tensor {
        let a = network(compute.besides(entry(distances, compute), features), compute)
        observe("unet", a)
        let b = middle(filters[0](a, guide: a, compute), compute)
        observe("after_mid_conv", b)
        let c = filters[1](b, guide: b, compute)
        return compute.apply(.tanh, filters[2](exit(c, compute), guide: c, compute))
    }
}

/// The refiner of signs: a patch of distances to the chance that a voxel is outside, as a logit (SPEC §13).
package struct SignRefiner: Sendable {
    let entry: VolumeConvolution
    let network: VolumeUNet
    let exit: VolumeConvolution

    /// - Throws: what the source throws.
    package init(_ source: ParameterSource, _ config: RefinerConfig) throws(Failure) {
        let body = RefinerConfig.bodyChannels
        entry = try VolumeConvolution(
            source.scoped("conv_in"), inputs: config.inChannels, outputs: body, window: .three)
        network = try VolumeUNet(
            source.scoped("unet3d1"), inputs: body, widths: config.blockChannels, layers: config.layersPerBlock,
            middleLayers: config.layersMidBlock)
        exit = try VolumeConvolution(
            source.scoped("conv_out"), inputs: config.blockChannels[0], outputs: config.outChannels, window: .three)
    }

    /// `[1, X, Y, Z, 1]` → `[1, X, Y, Z, 1]`; outside where it is ≥ 0.
    package func callAsFunction(_ distances: Tensor, _ compute: Compute) -> Tensor {
        exit(network(entry(distances, compute), compute), compute)
    }
}
