import SSDFCore
import SSDFTensor

/// The stages of image-conditioned generation, in order.
package enum DiffusionStage: String, Sendable, CaseIterable {
    /// Where the surface is.
    case dense
    case sparse512 = "512"
    case sparse1024 = "1024"

    /// The names of its components in a model.
    package var transformer: String { self == .dense ? "dense_dit" : "sparse_dit_\(rawValue)" }
    package var autoencoder: String { self == .dense ? "dense_vae" : "sparse_vae_\(rawValue)" }
    package var scheduler: String { self == .dense ? "dense_scheduler" : "sparse_scheduler_\(rawValue)" }
    package var imageEncoder: String { self == .dense ? "dense_image_encoder" : "sparse_image_encoder" }

    /// Steps of the released pipeline.
    package var defaultSteps: Int {
        switch self {
        case .dense: 50
        case .sparse512: 30
        case .sparse1024: 15
        }
    }

    /// Guidance scale of the released pipeline.
    package static var defaultGuidance: Double { 7 }

    var noiseStream: UInt64 {
        switch self {
        case .dense: NoiseStream.denseStage
        case .sparse512: NoiseStream.sparseStage512
        case .sparse1024: NoiseStream.sparseStage1024
        }
    }

    /// The stages of a model.
    package static func all(in model: ModelDirectory) -> [DiffusionStage] {
        allCases.filter { model.config[$0.transformer] != nil }
    }
}

/// Where a sampling run stands after a step.
package struct SamplingState: Sendable {
    /// Steps done.
    package var step: Int
    /// `[8, R, R, R]` or `[N, channels]`, in the order of `cells`.
    package var x: [Float]
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
    package var steps = 30
    /// 0 runs the conditional pass alone.
    package var guidance = DiffusionStage.defaultGuidance
    package var seed: UInt64 = 0
    package var threads = 1
    package var precision = Precision.f32
    package var progress: ProgressHandler = { _, _ in }
    /// Told once, after the first step, how many seconds the steps that are left will take.
    package var expect: @Sendable (_ seconds: Double) -> Void = { _ in }

    package init() {}
}
