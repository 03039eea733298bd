import SSDFCore

/// What the integration of a stage starts from.
package enum SamplingStart: String, Sendable, CaseIterable {
    /// Normal noise: every seed gives another shape that the picture may show.
    case noise
    /// Zeros, the mean of the noise: a network that was trained to predict the mean of all shapes from it gives that in
    /// one step.
    case zero
}

/// How a stage is integrated.
package struct SamplingPlan: Sendable, Equatable {
    /// Passes of the transformer, each of which is two with guidance.
    package var steps: Int
    /// 0 runs the pass with the picture alone.
    package var guidance: Double
    /// What the first step begins with.
    package var start: SamplingStart

    /// Guidance scale of the released pipeline.
    package static var releasedGuidance: Double { 7 }

    /// A plan as it is given.
    package init(steps: Int, guidance: Double, start: SamplingStart) {
        (self.steps, self.guidance, self.start) = (steps, guidance, start)
    }

    /// The plan of a stage: what a person asked for, else what the model's configuration says, else the released
    /// pipeline's.
    ///
    /// A model whose default is to start from zeros is sampled from noise instead as soon as a person asks for steps, a
    /// guidance scale or a seed: these have no meaning otherwise.
    /// - Parameter wantsNoise: whether anything was asked for that only noise gives a meaning.
    package init(
        _ stage: DiffusionStage, _ config: SchedulerConfig, steps: Int?, guidance: Double?, start: SamplingStart?,
        wantsNoise: Bool
    ) {
        self.start = start ?? (wantsNoise ? .noise : config.defaultStart)
        let isDefault = self.start == config.defaultStart
        switch self.start {
        case .noise:
            self.steps = steps ?? (isDefault ? config.defaultSteps ?? stage.releasedSteps : config.noiseSteps)
            self.guidance =
                guidance ?? (isDefault ? config.defaultGuidance ?? Self.releasedGuidance : config.noiseGuidance)
        case .zero:
            self.steps = steps ?? (isDefault ? config.defaultSteps ?? 1 : 1)
            self.guidance = guidance ?? (isDefault ? config.defaultGuidance ?? 0 : 0)
        }
    }
}
