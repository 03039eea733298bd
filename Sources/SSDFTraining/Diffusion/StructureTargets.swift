import SSDFCore
import SSDFNeural
import SSDFTensor

/// What the dense transformer learns to predict of a shape: a grid of `channels` numbers a place.
package protocol StructureTargets: Sendable {
    /// Numbers a place.
    var channels: Int { get }
    /// Places along a side.
    var side: Int { get }

    /// Writes the grid of a shape of a set, `[channels, side, side, side]`.
    func write(_ shape: Int, of set: PictureSet, to target: UnsafeMutablePointer<Float>)
}

/// The cells themselves: 1 where there is surface, −1 where there is none.
package struct CellGrid: StructureTargets {
    /// One number a cell.
    package var channels: Int { 1 }
    /// Cells along a side.
    package let side: Int

    /// A grid of so many cells a side, as many as the sets have.
    package init(side: Int) { self.side = side }

    /// Writes 1 or −1 for each cell, z fastest.
    package func write(_ shape: Int, of set: PictureSet, to target: UnsafeMutablePointer<Float>) {
        for cell in 0..<side * side * side { target[cell] = set.isOccupied(shape, cell) ? 1 : -1 }
    }
}

/// The latents of the cells by a structure auto-encoder that is trained no more: means of the posterior, with mean 0 and
/// deviation 1, each shape encoded once.
package final class LatentGrids: StructureTargets {
    /// Channels of a latent.
    package let channels: Int
    /// Latents along a side.
    package let side: Int
    /// `[shapes, channels, side, side, side]`
    private let values: Buffer<Float>

    /// Encodes all shapes of a set, the same on any number of threads.
    package init(
        _ set: PictureSet, _ autoencoder: FrozenStructure, threads: Int, progress: ProgressHandler
    ) {
        (channels, side) = (autoencoder.config.embedDim, autoencoder.latentSide)
        let (channels, places) = (channels, side * side * side)
        let count = set.recipe.count
        let values = Buffer<Float>(uninitialized: count * channels * places)
        let (shift, scale) = (Float(autoencoder.config.latentsShift), Float(autoencoder.config.latentsScale))
        let (memory, done) = (Unchecked(values.pointer), Counter())
        let workers = Unchecked((0..<threads).map { _ in Compute(threads: 1) })
        parallelFor(count, threads: threads) { worker, range in
            for shape in range {
                let compute = workers.value[worker]
                let occupancy = occupancies([set.bricks(shape)], side: set.recipe.cellSide, compute)
                let mean = autoencoder.network.posterior(occupancy, compute).0.mean
                let target = memory.value + shape * channels * places
                for place in 0..<places {
                    for channel in 0..<channels {
                        target[channel * places + place] = (mean.pointer[place * channels + channel] - shift) * scale
                    }
                }
                progress(done.next(), count)
            }
        }
        self.values = values
    }

    /// Writes the latents of a shape.
    package func write(_ shape: Int, of set: PictureSet, to target: UnsafeMutablePointer<Float>) {
        let count = channels * side * side * side
        target.update(from: values.pointer + shape * count, count: count)
    }
}

/// A structure auto-encoder that was trained before, and whose latents a dense transformer learns.
package struct FrozenStructure: Sendable {
    /// Of its part in a configuration.
    let name: String
    /// Its sizes, and the scale of its latents.
    package let config: DenseShapeVAEConfig
    let network: StructureNetwork
    /// Latents along a side.
    let latentSide: Int
    /// Identifies its weights.
    let identity: String

    /// Cells along a side.
    package var cellSide: Int { latentSide << (config.encoderChannels.count - 1) }

    /// The auto-encoder that a configuration has beside its dense transformer; nil where the transformer's result is the
    /// cells themselves.
    /// - Throws: `unavailable` when the model folder does not hold it yet; `badData` when it holds another.
    package init?(_ file: TrainingFile, _ transformer: DenseDiTConfig, folder: String?) throws(Failure) {
        name = DiffusionStage.dense.autoencoder
        guard case .denseVAE(var wanted) = file.model[name] else { return nil }
        let path = folder ?? "."
        let model = try ModelDirectory.holding(name, in: path, from: "ssdf-train structure")
        guard case .denseVAE(let trained) = model.config[name] else {
            throw .badData(file: path, place: name, "another kind of part", expected: "a DenseShapeVAE")
        }
        (wanted.latentsShift, wanted.latentsScale) = (trained.latentsShift, trained.latentsScale)
        guard wanted == trained else {
            throw .badData(file: path, place: name, "another size", expected: "the one of the configuration given")
        }
        config = trained
        network = try StructureNetwork(trained, ParameterSource(try model.open(name)))
        latentSide = transformer.resolution
        identity = try model.identity(of: name)
    }

    /// About how many bytes encoding takes on so many threads: some rows of the finest level.
    func encodingBytes(threads: Int) -> Int {
        threads * cellSide * cellSide * cellSide * (config.encoderChannels.first ?? 1) * 4 * 5
    }
}
