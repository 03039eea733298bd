import Foundation
import SSDFCore
import SSDFTraining
import SSDFVolume
import Testing

@Suite struct PictureSetTests {
    private let recipe = PictureSet.Recipe(seed: 5, shapes: 5, views: 2, side: 48, resolution: 64)

    @Test func cellsAreTheBandsBricks() {
        let shapes = ProceduralShapes(seed: 11)
        for index in 0..<60 {
            let shape = shapes.shape(index, .training).shape
            #expect(
                BandSamples.cells(of: shape, resolution: 128) == BandSamples(shape, resolution: 128).bricks,
                "shape \(index)")
        }
    }

    @Test func threadsDoNotChangeTheSet() throws {
        let one = try PictureSet(recipe, threads: 1) { _, _ in }
        let four = try PictureSet(recipe, threads: 4) { _, _ in }
        #expect(one.pictures.array == four.pictures.array && one.cells.array == four.cells.array)
    }

    @Test func setSurvivesItsFileAndOthersAreRefused() throws {
        let path = "/tmp/ssdf-pictures-\(UInt64.random(in: 0...UInt64.max))"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let made = try PictureSet.prepared(recipe, cache: path, threads: 2) { _, _ in }
        let read = try PictureSet(recipe, path: path)
        #expect(made.pictures.array == read.pictures.array && made.cells.array == read.cells.array)
        var other = recipe
        other.seed = 6
        #expect(!PictureSet.isThere(other, path: path))
        let whole = try Data(contentsOf: URL(fileURLWithPath: path))
        try whole.dropLast().write(to: URL(fileURLWithPath: path))
        #expect(throws: Failure.self) { _ = try PictureSet(recipe, path: path) }
    }

    /// The picture's outline is that of the cells' surface: white outside, something in the middle rows and columns.
    @Test func picturesShowTheShapeInTheMiddle() throws {
        let set = try PictureSet(recipe, threads: 2) { _, _ in }
        var pixels = [Float](repeating: 0, count: 3 * 48 * 48)
        for shape in 0..<recipe.shapes {
            pixels.withUnsafeMutableBufferPointer { set.write(shape: shape, view: 1, to: $0.baseAddress!) }
            func isShown(_ row: Int, _ column: Int) -> Bool {
                (0..<3).contains { pixels[($0 * 48 + row) * 48 + column] < 0.99 }
            }
            let shown = (0..<48 * 48).filter { isShown($0 / 48, $0 % 48) }
            #expect(shown.count > 48 && shown.count < 45 * 45)
            let rows = shown.map { $0 / 48 }
            let columns = shown.map { $0 % 48 }
            let (height, width) = (rows.max()! - rows.min()! + 1, columns.max()! - columns.min()! + 1)
            // The margin is 16 of 518 pixels, here one, and resampling blurs the outline by one.
            #expect((45...48).contains(max(height, width)), "shape \(shape): \(width)×\(height)")
            #expect(abs(rows.max()! + rows.min()! - 47) <= 2 && abs(columns.max()! + columns.min()! - 47) <= 2)
        }
    }

    @Test func everySampleComesOnceARound() {
        let order = SampleOrder(count: 60, seed: 3)
        for round in 0..<3 {
            #expect(Set((0..<60).map { order.sample(60 * round + $0) }) == Set(0..<60))
        }
        #expect((0..<60).map { order.sample($0) } != (60..<120).map { order.sample($0) })
    }
}
