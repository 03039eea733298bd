import SSDFCore
import SSDFNeural

/// What measuring a model takes: its weights, a shape on each thread, and the surfaces that are compared at the end.
/// - Parameters:
///   - count: procedural shapes that pictures are made of; 0 when the auto-encoder alone is measured.
///   - bricks: of the band that is encoded, when that is no procedural shape's.
package func evaluationMemory(
    _ model: ModelDirectory, count: Int, bricks: Int? = nil, threads: Int
) -> MemoryEstimate {
    var weights = 0
    var shape = 0.0
    var surfaces = 0
    for component in model.config.components {
        weights += 4 * component.config.parameterCount
        guard case .sparseVAE(var config) = component.config, shape == 0 else { continue }
        config.encoderChannels = max(config.encoderChannels, config.decoderChannels)
        let shapes = ProceduralShapes(seed: 0)
        let resolution = 8 * config.resolution
        shape = AutoencoderTrainer.encodingBytes(config, bricks: bricks ?? shapes.largestBand(resolution: resolution))
        // The truth, and what was made of the picture and on the true cells, with their trees: of each about 100
        // triangles a brick.
        surfaces = (bricks.map { 3 * $0 } ?? count * shapes.typicalBand(resolution: resolution)) * 7000
    }
    let bytes = Double(min(threads, max(count, 1))) * shape + Double(weights + surfaces + (12 << 20))
    return MemoryEstimate(bytes: Int(min(bytes, 0x1p60)))
}
