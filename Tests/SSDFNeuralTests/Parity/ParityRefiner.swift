import SSDFCore
import SSDFNeural
import SSDFTensor

/// The modules of the refiners.
extension ParityModule {
    @Sendable static func adaptive(_ parity: ParityCase, _ compute: Compute) throws -> [String: ParityValue] {
        let x = compute.channelsLast(try parity.input("x"))
        let y = compute.channelsLast(try parity.input("y"))
        let weights = compute.channelsLast(try parity.input("weights"))
        let filter = try AdaptiveFilter(parity.source, channels: x.shape[4])
        func result(_ volume: Tensor) -> ParityValue { .floats(compute.channelsFirst(volume)) }
        return [
            "out.adaptive_conv": result(AdaptiveFilter.filter(x, weights: weights, compute)),
            "out.block_self": result(filter(x, guide: x, compute)),
            "out.block_external": result(filter(y, guide: x, compute)),
        ]
    }

    @Sendable static func featureDecoder(_ parity: ParityCase, _ compute: Compute) throws -> [String: ParityValue] {
        let decoder = try FeatureDecoder(parity.source, inputs: parity.integer("n_features"), outputs: 8)
        return ["out.y": .floats(decoder(try parity.input("x"), compute))]
    }

    @Sendable static func volumeUNet(_ parity: ParityCase, _ compute: Compute) throws -> [String: ParityValue] {
        let network = try VolumeUNet(
            parity.source, inputs: parity.integer("in_channels"), widths: parity.integers("block_out_channels"),
            layers: parity.integer("layers_per_block"), middleLayers: parity.integer("layers_mid_block"),
            groups: parity.integer("norm_num_groups", default: 4))
        return [
            "out.y": .floats(compute.channelsFirst(network(compute.channelsLast(try parity.input("x")), compute)))
        ]
    }

    private static func refinerConfig(_ parity: ParityCase, _ kind: RefinerConfig.Kind) throws -> RefinerConfig {
        var config = RefinerConfig(kind: kind)
        config.layersPerBlock = try parity.integer("layers_per_block")
        config.layersMidBlock = try parity.integer("layers_mid_block")
        return config
    }

    @Sendable static func valueRefiner(_ parity: ParityCase, _ compute: Compute) throws -> [String: ParityValue] {
        let refiner = try ValueRefiner(parity.source, refinerConfig(parity, .values))
        let distances = compute.channelsLast(try parity.input("sdf"))
        let palette = refiner.features(try parity.input("feat_palette"), compute)
        let labels = try parity.input("feat_label").array.map { Int32($0) }
        let features = compute.gather(palette, RowMap(Buffer(labels), targets: palette.rows))
        var results: [String: ParityValue] = [:]
        let refined = refiner(
            distances: distances,
            features: compute.reshape(features, distances.shape.dropLast() + [palette.columns]), compute
        ) { name, value in results["mid.\(name)"] = .floats(compute.channelsFirst(value)) }
        results["out.sdf"] = .floats(compute.channelsFirst(refined))
        return results
    }

    @Sendable static func signRefiner(_ parity: ParityCase, _ compute: Compute) throws -> [String: ParityValue] {
        let refiner = try SignRefiner(parity.source, refinerConfig(parity, .sign))
        let logits = compute.channelsFirst(refiner(compute.channelsLast(try parity.input("sdf")), compute))
        // Where the logit is all but zero its sign is rounding noise: the recorded one counts.
        let recorded = parity.floats["mid.logit"]?.array ?? []
        let signs = zip(logits.array, recorded).map { own, theirs in (abs(theirs) < 1e-4 ? theirs : own) >= 0 ? 1 : -1 }
        return [
            "mid.logit": .floats(logits), "out.sign": .floats(Tensor(signs.map { Float($0) }, shape: logits.shape)),
        ]
    }

    /// The network of patch p is v ↦ tanh((0.5 + 0.05p)·v).
    @Sendable static func blending(_ parity: ParityCase, _ compute: Compute) throws -> [String: ParityValue] {
        let side = try parity.integer("res")
        let layout = try PatchLayout.blended(side: side, patch: try parity.integer("patch"))
        let coordinates = try parity.coordinates()
        let values = try parity.input("sdf").array
        let volume = Buffer<Float>(zeros: side * side * side)
        let patch = Buffer<Float>(uninitialized: layout.patch * layout.patch * layout.patch)
        for number in 0..<layout.count {
            let gain = 0.5 + 0.05 * Float(number)
            let origin = layout.origin(of: number)
            let around = compute.apply(.tanh, Tensor([gain], shape: [1])).array[0]
            patch.pointer.update(repeating: around, count: patch.count)
            let refined = compute.apply(.tanh, Tensor(values.map { gain * $0 }, shape: [values.count])).array
            for row in 0..<coordinates.count {
                let c = coordinates.rows.pointer[row]
                let (x, y, z) = (Int(c.y) - origin.x, Int(c.z) - origin.y, Int(c.w) - origin.z)
                let range = 0..<layout.patch
                guard range.contains(x), range.contains(y), range.contains(z) else { continue }
                patch.pointer[(x * layout.patch + y) * layout.patch + z] = refined[row]
            }
            layout.blend(patch.pointer, of: number, into: volume.pointer, threads: 2)
        }
        let probe = parity.integers["in.probe"]?.values ?? []
        let found = stride(from: 0, to: probe.count, by: 3).map {
            volume.pointer[(probe[$0] * side + probe[$0 + 1]) * side + probe[$0 + 2]]
        }
        return ["out.at_probe": .floats(Tensor(found, shape: [found.count]))]
    }
}
