import SSDFCore

/// The flow-matching scheduler (SPEC §11).
package struct SchedulerConfig: Sendable, Equatable {
    package var trainTimesteps = 1000
    package var shift = 1.0

    package init() {}

    package init(_ reader: inout ConfigReader) throws(Failure) {
        trainTimesteps = try reader.int("num_train_timesteps", default: 1000, in: 1...1_000_000)
        shift = try reader.double("shift", default: 1)
        guard shift > 0, shift <= 1000 else {
            throw .badData(place: "\(reader.path).shift", "\(shift)", expected: "a number above 0 and at most 1000")
        }
    }
}
