import SSDFCore
import SSDFNeural
import SSDFTensor

/// Something that is trained step by step: what the loop around it needs to know.
package protocol Trainer: AnyObject {
    /// Names the log and the checkpoint: "vae".
    var name: String { get }
    var state: TrainingState { get }
    /// Steps of the whole run.
    var steps: Int { get }
    /// The parts of a model that training makes, as they are now.
    var components: [TrainedComponent] { get throws }
    /// Whatever must be there before the first step and takes long: data, latents of a frozen network.
    func prepare(progress: ProgressHandler) throws
    /// Whether `prepare` leaves a file that other processes of the run find.
    var keepsPreparation: Bool { get }
    /// Takes the next step.
    func advance() throws -> StepRecord
}

extension Trainer {
    /// Nothing takes long.
    package func prepare(progress: ProgressHandler) throws {}
    /// Nothing is left.
    package var keepsPreparation: Bool { false }

    /// Numbers that are trained.
    package var parameterCount: Int { state.parameters.reduce(0) { $0 + $1.value.count } }
}

/// What a step of training found, means over the batch.
package struct StepRecord: Sendable, Equatable {
    /// Steps done, this one included.
    package var step = 0
    /// The mean of the samples' losses.
    package var loss = 0.0
    /// The gradient's norm before it was clipped.
    package var gradientNorm = 0.0
    /// The learning rate.
    package var rate = 0.0
    /// What else the log holds, by name.
    package var parts: [Part] = []

    /// A number of the log by its name.
    package struct Part: Sendable, Equatable {
        /// Its key in the log.
        package var name: String
        /// The number.
        package var value: Double

        /// A number of the log.
        package init(_ name: String, _ value: Double) { (self.name, self.value) = (name, value) }
    }

    /// The record of no step.
    package init() {}

    /// A number of `parts`.
    package subscript(_ name: String) -> Double? { parts.first { $0.name == name }?.value }
}

/// A part of a model that training makes.
package struct TrainedComponent: Sendable {
    /// Its key in the configuration.
    package var name: String
    /// What its section says.
    package var node: ConfigNode
    /// What the names of its parameters begin with among those trained, "encoder."; nil for a part without weights.
    package var prefix: String?

    /// A part of a model, as training leaves it.
    package init(name: String, node: ConfigNode, prefix: String?) {
        (self.name, self.node, self.prefix) = (name, node, prefix)
    }
}
