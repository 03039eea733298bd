import SSDFCore
import SSDFNeural

/// How a diffusion transformer is trained: the sections `dense_dit` and `sparse_dit` of a configuration's `training`.
package struct DiffusionTrainingConfig: Sendable, Equatable {
    /// What becomes of the image encoder.
    package enum EncoderTraining: String, Sendable, CaseIterable {
        /// With the transformer.
        case joint
        /// As it is in the model folder.
        case frozen
    }

    /// The batch, the optimiser and the schedule.
    package var optimization = OptimizationConfig()
    /// Samples that go through the network together, on one thread; a divisor of the batch.
    package var group = 1
    /// Share of the samples that train the mean of all shapes that fit a picture, for generation in one pass; the others
    /// train the flow.
    package var mean = 0.8
    /// Shift of the flow's times in training.
    package var shift = 3.0
    /// Share of the flow's samples without their picture.
    package var dropped = 0.1
    /// Weight of the picture tokens' own loss; of the dense stage alone.
    package var auxiliary = 0.5
    /// What becomes of the image encoder; of sparse stages alone.
    package var encoder = EncoderTraining.joint
    /// Procedural shapes, and pictures of each.
    package var shapes = 40_000
    /// Pictures of each shape.
    package var views = 2
    /// Whether each procedural shape is also learned mirrored, from its mirrored pictures; of the dense stage alone.
    package var mirrored = false

    /// The defaults.
    package init() {}

    /// - Throws: `badData` with line and key.
    package init(_ reader: inout ConfigReader, defaults: DiffusionTrainingConfig) throws(Failure) {
        self = defaults
        optimization = try OptimizationConfig(
            &reader, steps: defaults.optimization.steps, batch: defaults.optimization.batch)
        group = try reader.int("group", default: group, in: 1...256)
        mean = try reader.double("mean", default: mean, in: 0...1)
        shift = try reader.double("shift", default: shift, in: 0.01...100)
        dropped = try reader.double("dropped", default: dropped, in: 0...1)
        auxiliary = try reader.double("auxiliary", default: auxiliary, in: 0...100)
        shapes = try reader.int("shapes", default: shapes, in: 1...10_000_000)
        views = try reader.int("views", default: views, in: 1...64)
        mirrored = try reader.bool("mirrored", default: mirrored)
        let name = try reader.string("encoder", default: encoder.rawValue)
        guard let choice = EncoderTraining(rawValue: name) else {
            throw .badData(place: "\(reader.path).encoder", "\"\(name)\"", expected: "joint or frozen")
        }
        encoder = choice
        try reader.finish()
        guard optimization.batch % group == 0 else {
            throw .badData(
                place: "\(reader.path).group", "\(group)", expected: "a divisor of the batch, \(optimization.batch)")
        }
    }

    /// What the pictures are made from: the samples of a folder, or procedural shapes.
    /// - Throws: `badData` when the folder lacks what is asked of it.
    func recipe(data: PreparedData?, side: Int, resolution: Int) throws(Failure) -> PictureSet.Recipe {
        if let data {
            guard !mirrored else {
                throw .badData(
                    place: "training.dense_dit.mirrored", "true, on a folder of prepared samples",
                    expected: "false: only procedural shapes can be mirrored")
            }
            return try data.pictureRecipe(views: views, side: side, resolution: resolution)
        }
        var recipe = PictureSet.Recipe(
            seed: UInt64(optimization.seed), shapes: shapes, views: views, side: side, resolution: resolution)
        recipe.mirrored = mirrored
        return recipe
    }

    /// Groups of a micro-batch.
    var groups: Int { optimization.batch / group }
}
