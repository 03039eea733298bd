import SSDFCore
import SSDFTensor

/// A stage of image-conditioned generation. A model has the dense one, which finds where the surface is, and sparse ones
/// of rising resolution.
package enum DiffusionStage: Sendable, Hashable {
    /// Where the surface is.
    case dense
    /// Latents in the cells near the surface, named by the voxels along a side of what they decode to.
    case sparse(Int)

    /// As options, files and components call it: "dense", "512".
    package var name: String {
        switch self {
        case .dense: "dense"
        case .sparse(let resolution): "\(resolution)"
        }
    }

    /// - Returns: nil for anything but "dense" and whole numbers that can be a resolution.
    package init?(name: String) {
        if name == "dense" {
            self = .dense
        } else if let resolution = Int(name), (8...1 << 20).contains(resolution), "\(resolution)" == name {
            self = .sparse(resolution)
        } else {
            return nil
        }
    }

    /// The names of its components in a model.
    package var transformer: String { self == .dense ? "dense_dit" : "sparse_dit_\(name)" }
    /// The component that its latents are decoded with.
    package var autoencoder: String { self == .dense ? "dense_vae" : "sparse_vae_\(name)" }
    /// The component that says how it is sampled.
    package var scheduler: String { self == .dense ? "dense_scheduler" : "sparse_scheduler_\(name)" }

    /// The component that sees the picture for this stage: a model with one encoder has that of the dense stage.
    package func imageEncoder(in model: ModelDirectory) -> String {
        let own = "sparse_image_encoder"
        return self != .dense && model.config[own] != nil ? own : "dense_image_encoder"
    }

    /// The stream of noise: 2 for the dense stage, the resolution for a sparse one.
    var noiseStream: UInt64 {
        switch self {
        case .dense: NoiseStream.denseStage
        case .sparse(let resolution): UInt64(resolution)
        }
    }

    /// Steps where neither a person nor the model says how many: those of the released pipeline.
    var releasedSteps: Int {
        switch self {
        case .dense: 50
        case .sparse(1024): 15
        case .sparse: 30
        }
    }

    /// The stages of a model, in the order they run in.
    package static func all(in model: ModelDirectory) -> [DiffusionStage] {
        let prefix = "sparse_dit_"
        let resolutions = model.config.components.compactMap { component -> Int? in
            guard component.name.hasPrefix(prefix),
                case .sparse(let resolution)? = DiffusionStage(name: String(component.name.dropFirst(prefix.count)))
            else { return nil }
            return resolution
        }
        let dense: [DiffusionStage] = model.config[DiffusionStage.dense.transformer] == nil ? [] : [.dense]
        return dense + resolutions.sorted().map { .sparse($0) }
    }
}

/// Where a sampling run stands after a step.
package struct SamplingState: Sendable {
    /// Steps done.
    package var step: Int
    /// `[1, C, R, R, R]` or `[N, channels]`, in the order of `cells`.
    package var x: [Float]
    /// The sides of `x`.
    package var shape: [Int]
    /// Of a sparse stage: its tokens' cells.
    package var cells: [SIMD3<Int32>]

    /// - Throws: `badData` when the state is not one of a run of this size.
    func check(_ expected: [Int], steps: Int) throws(Failure) {
        guard shape == expected, x.count == expected.reduce(1, *), step <= steps else {
            throw .badData(
                place: "checkpoint", "step \(step) of a state of \(shape)",
                expected: "\(expected), at most step \(steps)")
        }
    }
}

/// How a stage is run.
package struct SamplingOptions: Sendable {
    /// Steps, guidance and start.
    package var plan = SamplingPlan(steps: 30, guidance: SamplingPlan.releasedGuidance, start: .noise)
    /// Of the noise.
    package var seed: UInt64 = 0
    /// To work on; the result does not depend on it.
    package var threads = 1
    /// Of the network's products.
    package var precision = Precision.f32
    /// Told after every step how many are done.
    package var progress: ProgressHandler = { _, _ in }
    /// Told once, after the first step, how many seconds the steps that are left will take.
    package var expect: @Sendable (_ seconds: Double) -> Void = { _ in }

    /// The defaults.
    package init() {}
}
