import SSDFCore
import SSDFVolume

/// Where a training run's shapes come from: shapes numbered from 0, each the same whenever it is asked for.
package protocol ShapeSource: Sendable {
    /// How many different shapes there are; nil when they never repeat.
    var count: Int? { get }
    /// Identifies the shapes: a run goes on only with those that it was started with. Empty when the configuration says
    /// all.
    var identity: String { get }

    /// Refuses a resolution that cannot be had.
    func check(resolution: Int) throws(Failure)
    /// The band of a shape.
    /// - Parameter isRotated: whether under a random rotation, where the source can turn its shapes.
    func band(_ number: Int, resolution: Int, isRotated: Bool) throws(Failure) -> BandSamples
    /// The bricks of that band alone, ascending.
    func cells(_ number: Int, resolution: Int) throws(Failure) -> [BrickCoordinate]
    /// The most bricks that a band of that resolution has; about that for shapes that are not there yet.
    func largestBand(resolution: Int) -> Int
    /// The bricks that a band of that resolution has on average.
    func typicalBand(resolution: Int) -> Int
    /// Bytes that finding the cells of a shape takes, beside the cells.
    func cellBytes(resolution: Int) -> Int
}

/// The training half of the procedural shapes.
extension ProceduralShapes: ShapeSource {
    /// There is no end of them.
    package var count: Int? { nil }
    /// The seed, which the configuration says, tells all.
    package var identity: String { "" }

    /// Every resolution can be had.
    package func check(resolution: Int) {}

    /// The band of a shape of the training half, turned at random where that is wanted.
    package func band(_ number: Int, resolution: Int, isRotated: Bool) -> BandSamples {
        BandSamples(
            isRotated ? rotatedShape(number, .training).shape : shape(number, .training).shape, resolution: resolution)
    }

    /// The bricks of that band, unturned.
    package func cells(_ number: Int, resolution: Int) -> [BrickCoordinate] {
        BandSamples.cells(of: shape(number, .training).shape, resolution: resolution)
    }

    /// A shape has up to about 1,800 at 128³, measured; surfaces grow with the square.
    package func largestBand(resolution: Int) -> Int { 1800 * resolution * resolution / (128 * 128) }

    /// A shape has about 600 at 128³, measured.
    package func typicalBand(resolution: Int) -> Int { 600 * resolution * resolution / (128 * 128) }

    /// Cells are told from the shape itself.
    package func cellBytes(resolution: Int) -> Int { 0 }
}
