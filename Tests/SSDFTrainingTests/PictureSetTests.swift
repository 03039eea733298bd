import Foundation
import SSDFCore
import SSDFImage
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

    /// The mirrored half of a set: the mirrored shapes' own cells, and pictures that a mirrored camera would take of them.
    @Test func mirroredShapesHaveTheirOwnCellsAndMirroredPictures() throws {
        var both = recipe
        both.mirrored = true
        let path = "/tmp/ssdf-pictures-\(UInt64.random(in: 0...UInt64.max))"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let set = try PictureSet.prepared(both, cache: path, threads: 2) { _, _ in }
        #expect(both.count == 10 && PictureSet.isThere(both, path: path) && !PictureSet.isThere(recipe, path: path))
        #expect(try PictureSet(both, path: path).cells.array == set.cells.array)
        #expect(try PictureSet(recipe, threads: 2) { _, _ in }.pictures.array == set.pictures.array)
        let shapes = ProceduralShapes(seed: recipe.seed)
        var turned = 0
        for index in 0..<5 {
            let (family, made) = shapes.shape(index, .training)
            #expect(shapes.family(index, .training) == family)
            guard family.hasMirrorImages else { continue }
            let mirrored = made.mirrored
            let cells = BandSamples(mirrored, resolution: 64).bricks
            #expect(set.bricks(5 + index) == cells && mirrored.mirrored == made)
            for view in 0..<2 {
                let camera = shapeView(recipe, number: index * 2 + view)
                var other = camera
                other.azimuth = -camera.azimuth
                other.light.x = -camera.light.x
                /// From a picture of the set to one taken anew, of another size before it is brought to the set's.
                func difference(_ number: Int, _ shape: Shape, _ camera: ShapeView) throws -> Float {
                    let cells = BandSamples(shape, resolution: 64).bricks
                    let taken = try ConditionImage(
                        ShapePicture(shape, cells: cells, resolution: 64, view: camera, side: 72).image(), side: 48)
                    var pixels = [Float](repeating: 0, count: 3 * 48 * 48)
                    pixels.withUnsafeMutableBufferPointer { set.write(shape: number, view: view, to: $0.baseAddress!) }
                    var sum: Float = 0
                    for index in 0..<pixels.count {
                        let (channel, pixel) = (index / (48 * 48), index % (48 * 48))
                        sum += abs(pixels[index] - Float(taken.colors[3 * pixel + channel]) / 255)
                    }
                    return sum / Float(pixels.count)
                }
                let (plain, turnedRound) = (
                    try difference(index, made, camera), try difference(5 + index, mirrored, other)
                )
                #expect(turnedRound < plain + 0.01, "shape \(index), view \(view): \(turnedRound), plain \(plain)")
                if try difference(index, mirrored, other) > 2 * turnedRound { turned += 1 }
            }
        }
        #expect(turned > 5, "pictures are not the same left and right")
    }

    /// A mirrored tripod is one that is seen from another side: it stays as it is.
    @Test func shapesWithoutMirrorImagesComeTwice() throws {
        let shapes = ProceduralShapes(seed: recipe.seed)
        let number = (0..<400).first { shapes.family($0, .training) == .stool }!
        var both = PictureSet.Recipe(seed: 5, shapes: number + 1, views: 1, side: 16, resolution: 32)
        both.mirrored = true
        let set = try PictureSet(both, threads: 2) { _, _ in }
        #expect(set.bricks(number) == set.bricks(2 * number + 1))
        func pixels(_ shape: Int) -> [Float] {
            var pixels = [Float](repeating: 0, count: 3 * 16 * 16)
            pixels.withUnsafeMutableBufferPointer { set.write(shape: shape, view: 0, to: $0.baseAddress!) }
            return pixels
        }
        #expect(pixels(number) == pixels(2 * number + 1))
    }

    @Test func everySampleComesOnceARound() {
        let order = SampleOrder(count: 60, seed: 3)
        for round in 0..<3 {
            #expect(Set((0..<60).map { order.sample(60 * round + $0) }) == Set(0..<60))
        }
        #expect((0..<60).map { order.sample($0) } != (60..<120).map { order.sample($0) })
    }
}
