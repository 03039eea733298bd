import SSDFCore
import SSDFTensor

/// Integrates the velocity that a network predicts from noise to data, by Euler's method (SPEC §11).
struct Sampler {
    let schedule: FlowMatchingSchedule
    let options: SamplingOptions
    let compute: Compute

    /// - Parameters:
    ///   - x: what to start from: noise, or a state after `first` steps.
    ///   - first: steps that are done already.
    ///   - finished: sees the state after every step.
    ///   - velocity: of x at a timestep, with or without the condition.
    /// - Throws: `badData` when a prediction is not finite; what the closures throw.
    func run(
        from x: Tensor, after first: Int, finished: (_ steps: Int, Tensor) throws(Failure) -> Void,
        velocity: (_ x: Tensor, _ t: Float, _ isConditional: Bool) throws(Failure) -> Tensor
    ) throws(Failure) -> Tensor {
        var x = x
        let start = ContinuousClock.now
        for step in first..<schedule.steps {
            let t = schedule.timesteps[step]
            var v = try velocity(x, t, true)
            if options.plan.guidance > 0 {
                v = guided(v, try velocity(x, t, false), scale: Float(options.plan.guidance), compute)
            }
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
