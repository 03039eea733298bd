import SSDFCore
import SSDFNeural
import SSDFTensor

/// What the training of every network has in common: the batch, the optimiser, the schedule.
package struct OptimizationConfig: Sendable, Equatable {
    /// Steps of the optimiser.
    package var steps = 4000
    /// Samples of a micro-batch.
    package var batch = 8
    /// Micro-batches whose gradients make one step, on all machines together.
    package var accumulation = 1
    /// The highest rate.
    package var learningRate = 1e-3
    /// Steps until the rate is at its highest.
    package var warmup = 200
    /// The last rate, as a share of the highest.
    package var lastRate = 0.02
    /// Share of a weight that is taken away in a step, times the rate; biases and norms do not decay.
    package var weightDecay = 0.01
    /// Decay of the gradient's moving average.
    package var beta1 = 0.9
    /// Decay of the moving average of its square.
    package var beta2 = 0.99
    /// Largest norm of a gradient.
    package var clip = 1.0
    /// Decay of the weights' moving average, which becomes the model.
    package var average = 0.999
    /// Of the first weights, the order of the samples and the noise.
    package var seed = 0
    /// Whether blocks run twice instead of keeping what their gradients need: less memory for more time.
    package var checkpointing = false

    /// The defaults.
    package init() {}

    /// - Throws: `badData` with line and key.
    package init(_ reader: inout ConfigReader, steps: Int = 4000, batch: Int = 8) throws(Failure) {
        self.steps = try reader.int("steps", default: steps, in: 1...100_000_000)
        self.batch = try reader.int("batch", default: batch, in: 1...4096)
        accumulation = try reader.int("accumulation", default: accumulation, in: 1...4096)
        learningRate = try reader.double("learning_rate", default: learningRate, in: 0...1)
        warmup = try reader.int("warmup", default: warmup, in: 0...100_000_000)
        lastRate = try reader.double("last_rate", default: lastRate, in: 0...1)
        weightDecay = try reader.double("weight_decay", default: weightDecay, in: 0...1)
        beta1 = try reader.double("beta1", default: beta1, in: 0...0.9999)
        beta2 = try reader.double("beta2", default: beta2, in: 0...0.99999)
        clip = try reader.double("clip", default: clip, in: 1e-6...1e6)
        average = try reader.double("average", default: average, in: 0...0.999999)
        seed = try reader.int("seed", default: seed, in: 0...Int.max)
        checkpointing = try reader.bool("checkpointing", default: checkpointing)
    }

    /// Samples of a step.
    package var samples: Int { batch * accumulation }

    /// What the optimiser takes of it.
    package var optimizer: AdamW.Options {
        var options = AdamW.Options()
        options.beta1 = Float(beta1)
        options.beta2 = Float(beta2)
        options.weightDecay = Float(weightDecay)
        return options
    }

    /// The rate of every step.
    package var schedule: LearningRateSchedule {
        LearningRateSchedule(peak: learningRate, warmup: warmup, total: steps, last: learningRate * lastRate)
    }
}

extension ConfigReader {
    /// A number within a range.
    package mutating func double(
        _ key: String, default fallback: Double, in range: ClosedRange<Double>
    ) throws(Failure) -> Double {
        let value = try double(key, default: fallback)
        if !range.contains(value), let node = node(key) {
            throw mismatch(key, node, "\(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// Refuses keys that nothing asked for.
    package func finish() throws(Failure) {
        if let key = unread.first {
            throw .badData(place: "\(path).\(key)", "an unknown key", expected: "one that training has")
        }
    }
}
