import SSDFCore
import SSDFTensor

/// A pass of a network within a step.
enum SamplingPass: Sendable {
    /// With the picture.
    case conditional
    /// Without.
    case unconditional

    /// Whether both passes of a step run as one batch: for few tokens, whose products are too small for the processor
    /// one by one and where reading the weights counts. Results differ by rounding at most, so this depends on the
    /// problem alone.
    static func shareABatch(tokens: Int) -> Bool { tokens <= batchedTokens }

    private static let batchedTokens = 2048
}

/// Integrates the velocity that a network predicts from noise to data, by Euler's method (SPEC §11).
struct Sampler {
    let schedule: FlowMatchingSchedule
    let options: SamplingOptions
    let compute: Compute

    /// - Parameters:
    ///   - x: what to start from: noise, or a state after `first` steps.
    ///   - first: steps that are done already.
    ///   - finished: sees the state after every step.
    ///   - velocity: of x at a timestep under some conditions, one after the other.
    /// - Throws: `badData` when a prediction is not finite; what the closures throw.
    func run(
        from x: Tensor, after first: Int, finished: (_ steps: Int, Tensor) throws(Failure) -> Void,
        velocity: (_ x: Tensor, _ t: Float, _ passes: [SamplingPass]) throws(Failure) -> [Tensor]
    ) throws(Failure) -> Tensor {
        let passes: [SamplingPass] = options.plan.guidance > 0 ? [.conditional, .unconditional] : [.conditional]
        var x = x
        let start = ContinuousClock.now
        for step in first..<schedule.steps {
            let t = schedule.timesteps[step]
            let parts = try velocity(x, t, passes)
            let v =
                parts.count == 2 ? guided(parts[0], parts[1], scale: Float(options.plan.guidance), compute) : parts[0]
            x = schedule.step(step, x, velocity: v, compute)
            guard x.elements.allSatisfy(\.isFinite) else {
                throw .badData(
                    "step \(step + 1) of \(schedule.steps) made a number that is not finite",
                    expected: "weights of a trained model")
            }
            try finished(step + 1, x)
            if step == first {
                let spent = ContinuousClock.now - start
                options.expect(spent / .seconds(1) * Double(schedule.steps - first - 1))
            }
            options.progress(step + 1, schedule.steps)
        }
        return x
    }

    /// What a stage starts from: zeros, or normal noise, the same on every machine.
    static func start(_ shape: [Int], of stage: DiffusionStage, _ options: SamplingOptions) -> Tensor {
        let x = Tensor(repeating: 0, shape: shape)
        guard options.plan.start == .noise else { return x }
        GaussianNoise(seed: options.seed, stream: stage.noiseStream).fill(
            UnsafeMutableBufferPointer(start: x.pointer, count: x.count), threads: options.threads)
        return x
    }
}

extension ModelDirectory {
    /// The scheduler of a stage.
    /// - Throws: `unavailable` when the model has none.
    package func scheduler(of stage: DiffusionStage) throws(Failure) -> SchedulerConfig {
        guard case .scheduler(let config) = config[stage.scheduler] else {
            throw Failure(.unavailable, file: path, "the model has no \(stage.scheduler)")
        }
        return config
    }

    /// The schedule of a stage.
    /// - Throws: `unavailable` when the model has none.
    func schedule(of stage: DiffusionStage, steps: Int) throws(Failure) -> FlowMatchingSchedule {
        FlowMatchingSchedule(try scheduler(of: stage), steps: steps)
    }
}
