import SSDFCore
import SSDFNeural

/// How a sparse SDF auto-encoder is trained: the `training` section of a configuration.
package struct AutoencoderTrainingConfig: Sendable, Equatable {
    /// Steps of the optimiser.
    package var steps = 4000
    /// Samples of a step.
    package var batch = 8
    package var learningRate = 1e-3
    package var warmup = 200
    /// The last rate, as a share of the highest.
    package var lastRate = 0.02
    package var weightDecay = 0.01
    package var beta1 = 0.9
    package var beta2 = 0.99
    /// Largest norm of a gradient.
    package var clip = 1.0
    /// Weight of the latents' divergence from a unit Gaussian.
    package var divergence = 1e-3
    /// Decay of the weights' moving average, which becomes the model.
    package var average = 0.999
    /// Share of samples under a random rotation.
    package var rotated = 0.5
    /// Side of crops in latent cells; 0 for whole shapes.
    package var crop = 0
    /// Share of the steps, from the first, that see crops.
    package var cropShare = 0.5
    /// How much more a voxel at a sharp edge weighs: 1 + this, falling to 1 where the surface is flat.
    package var sharpEdges = 0.0
    package var seed = 0

    package init() {}

    package init(_ reader: inout ConfigReader) throws(Failure) {
        steps = try reader.int("steps", default: steps, in: 1...100_000_000)
        batch = try reader.int("batch", default: batch, in: 1...4096)
        learningRate = try reader.double("learning_rate", default: learningRate)
        warmup = try reader.int("warmup", default: warmup, in: 0...100_000_000)
        lastRate = try reader.double("last_rate", default: lastRate)
        weightDecay = try reader.double("weight_decay", default: weightDecay)
        beta1 = try reader.double("beta1", default: beta1)
        beta2 = try reader.double("beta2", default: beta2)
        clip = try reader.double("clip", default: clip)
        divergence = try reader.double("divergence", default: divergence)
        average = try reader.double("average", default: average)
        rotated = try reader.double("rotated", default: rotated)
        crop = try reader.int("crop", default: crop, in: 0...1024)
        cropShare = try reader.double("crop_share", default: cropShare)
        sharpEdges = try reader.double("sharp_edges", default: sharpEdges)
        seed = try reader.int("seed", default: seed, in: 0...Int.max)
        for (key, value, range) in [
            ("learning_rate", learningRate, 0.0...1), ("last_rate", lastRate, 0...1),
            ("weight_decay", weightDecay, 0...1),
            ("beta1", beta1, 0...0.9999), ("beta2", beta2, 0...0.99999), ("clip", clip, 1e-6...1e6),
            ("divergence", divergence, 0...1e3), ("average", average, 0...0.999999), ("rotated", rotated, 0...1),
            ("crop_share", cropShare, 0...1), ("sharp_edges", sharpEdges, 0...1e3),
        ] where !range.contains(value) {
            throw .badData(
                place: "\(reader.path).\(key)", "\(value)", expected: "\(range.lowerBound) to \(range.upperBound)")
        }
        if let key = reader.unread.first {
            throw .badData(place: "\(reader.path).\(key)", "an unknown key", expected: "one that training has")
        }
    }
}

/// A configuration file of `ssdf-train`: the model's components, and how they are trained.
package struct TrainingFile: Sendable {
    package let model: ModelConfig
    package let vae: AutoencoderTrainingConfig
    /// The name of the sparse auto-encoder among the components.
    package let vaeName: String
    package let vaeModel: SparseSDFVAEConfig

    /// - Throws: `badData` with line and key.
    package init(yaml: String) throws(Failure) {
        let root = try ConfigNode(yaml: yaml)
        guard case .map(let pairs) = root.value else { throw .badData("no mapping", expected: "a configuration") }
        model = try ModelConfig(ConfigNode(value: .map(pairs.filter { $0.key != "training" }), line: root.line))
        var vae = AutoencoderTrainingConfig()
        if let training = pairs.first(where: { $0.key == "training" })?.node {
            var sections = try ConfigReader(training, path: "training")
            if let node = sections.node("vae") {
                var reader = try ConfigReader(node, path: "training.vae")
                vae = try AutoencoderTrainingConfig(&reader)
            }
            if let key = sections.unread.first {
                throw .badData(place: "training.\(key)", "an unknown section", expected: "vae")
            }
        }
        self.vae = vae
        var found: (String, SparseSDFVAEConfig)?
        for component in model.components {
            if case .sparseVAE(let config) = component.config, found == nil { found = (component.name, config) }
        }
        guard let (name, config) = found else {
            throw .badData("no SparseSDFVAE among the components", expected: "one")
        }
        vaeName = name
        vaeModel = config
    }
}
