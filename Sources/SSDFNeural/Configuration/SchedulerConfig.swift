import SSDFCore

/// The flow-matching scheduler (SPEC §11), and how a stage is sampled when nobody says how; the latter are keys of our own.
package struct SchedulerConfig: Sendable, Equatable {
    /// The timestep of pure noise.
    package var trainTimesteps = 1000
    /// How much of the steps lies where there is most noise; 1 spaces them evenly.
    package var shift = 1.0
    /// Steps and guidance that fit `defaultStart`; nil: those of the released pipeline.
    package var defaultSteps: Int?
    /// The guidance scale that fits `defaultStart`; nil: that of the released pipeline.
    package var defaultGuidance: Double?
    /// What sampling begins with.
    package var defaultStart = SamplingStart.noise
    /// Steps and guidance of sampling from noise where that is not the default.
    package var noiseSteps = 20
    /// The guidance scale of sampling from noise where that is not the default.
    package var noiseGuidance = 2.0

    /// The constructor's defaults.
    package init() {}

    /// - Throws: `badData` naming the key that is of another type or out of range.
    package init(_ reader: inout ConfigReader) throws(Failure) {
        trainTimesteps = try reader.int("num_train_timesteps", default: 1000, in: 1...1_000_000)
        shift = try reader.double("shift", default: 1)
        guard shift > 0, shift <= 1000 else {
            throw .badData(place: "\(reader.path).shift", "\(shift)", expected: "a number above 0 and at most 1000")
        }
        if reader.node("default_steps") != nil { defaultSteps = try reader.int("default_steps", in: 1...1000) }
        defaultGuidance = try reader.guidance("default_guidance")
        defaultStart = try reader.choice("default_start", default: .noise)
        noiseSteps = try reader.int("noise_steps", default: 20, in: 1...1000)
        noiseGuidance = try reader.guidance("noise_guidance") ?? 2
    }
}

extension ConfigReader {
    /// A guidance scale, 0 to 100; nil when the key is absent.
    fileprivate mutating func guidance(_ key: String) throws(Failure) -> Double? {
        guard node(key) != nil else { return nil }
        let scale = try double(key)
        guard scale >= 0, scale <= 100 else {
            throw .badData(place: "\(path).\(key)", "\(scale)", expected: "a number from 0 to 100")
        }
        return scale
    }
}
