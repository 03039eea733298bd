import SSDFCore
import SSDFNeural
import SSDFTensor

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension ParameterSource {
    /// Numbers to train a diffusion transformer and its image encoder from: random, but residual branches begin fully
    /// open, and the picture's patches know where they are: positions drawn at random are so small beside what the
    /// patches hold that it takes many steps until anything depends on them.
    package static func diffusion(seed: UInt64) -> ParameterSource {
        let plain = ParameterSource.random(seed: seed)
        return ParameterSource { name, shape throws(Failure) in
            let tensor = try plain.parameter(name, shape).value.detached
            if name.hasSuffix("adaLN_modulation.1.bias") {
                // Shift, scale, gate of attention; shift, scale, gate of the feed-forward network.
                let channels = shape[0] / 6
                for part in [2, 5] { (tensor.pointer + part * channels).update(repeating: 1, count: channels) }
            }
            if name.hasSuffix("pos_embed"), shape.count == 3 { writePositions(tensor, places: shape[1] - 1) }
            return tensor
        }
    }

    /// Sines and cosines of row and column, half as large as the patches' own numbers; none for the class token.
    private static func writePositions(_ tensor: Tensor, places: Int) {
        let channels = tensor.shape[2]
        let side = max(1, Int(Double(places).squareRoot()))
        tensor.pointer.update(repeating: 0, count: tensor.count)
        for place in 0..<places {
            let row = tensor.pointer + (1 + place) * channels
            for index in 0..<channels / 4 {
                let frequency = powf(100, -Float(index) / Float(max(channels / 4, 1)))
                for (axis, position) in [Float(place / side), Float(place % side)].enumerated() {
                    row[(2 * axis) * (channels / 4) + index] = 0.5 * sinf(position * frequency)
                    row[(2 * axis + 1) * (channels / 4) + index] = 0.5 * cosf(position * frequency)
                }
            }
        }
    }
}
