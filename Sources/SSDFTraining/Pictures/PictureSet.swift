import SSDFCore
import SSDFImage
import SSDFVolume

/// Shapes with pictures of them, as the image encoder sees pictures, and the cells that hold their surface; in memory.
package final class PictureSet: Sendable {
    /// What a set is made from: equal recipes make equal sets.
    package struct Recipe: Sendable, Equatable {
        /// Of the procedural shapes and their views.
        package var seed: UInt64
        /// Which half of the procedural shapes.
        package var split: ProceduralShapes.Split
        /// How many of them, from number 0.
        package var shapes: Int
        /// Whether the set has each shape twice, the second time mirrored, left and right changed, with its pictures
        /// mirrored; or as it is, where its family has no mirror images.
        package var mirrored = false
        /// Pictures of each.
        package var views: Int
        /// Pixels along a picture's side.
        package var side: Int
        /// Voxels along the cube's side; a cell has eight.
        package var resolution: Int
        /// Identifies a folder that takes the place of the procedural shapes.
        package var data = ""

        /// A recipe of procedural shapes.
        package init(
            seed: UInt64, split: ProceduralShapes.Split = .training, shapes: Int, views: Int, side: Int, resolution: Int
        ) {
            (self.seed, self.split, self.shapes, self.views) = (seed, split, shapes, views)
            (self.side, self.resolution) = (side, resolution)
        }

        var pictureBytes: Int { 3 * side * side }
        var cellSide: Int { resolution / 8 }
        var cellWords: Int { (cellSide * cellSide * cellSide + 63) / 64 }

        /// Shapes of the set: those made, then the same mirrored.
        package var count: Int { mirrored ? 2 * shapes : shapes }

        /// Which of the shapes made a shape of the set is, and whether mirrored.
        func origin(of shape: Int) -> (made: Int, isMirrored: Bool) {
            guard shape >= shapes else { return (shape, false) }
            let made = shape - shapes
            return (made, ProceduralShapes(seed: seed).family(made, split).hasMirrorImages)
        }

        /// Bytes of a set. Mirrored pictures take none.
        package var bytes: Int { shapes * views * pictureBytes + count * 8 * cellWords }
    }

    /// What it was made from.
    package let recipe: Recipe
    /// `[shapes, views, side, side, 3]`
    package let pictures: Buffer<UInt8>
    /// `[count, cellWords]`: a bit a cell, z fastest. Those of a mirrored shape are not the mirrored cells of the shape: the
    /// voxels of the cube are a voxel nearer to one side than to the other.
    package let cells: Buffer<UInt64>

    init(recipe: Recipe, pictures: consuming Buffer<UInt8>, cells: consuming Buffer<UInt64>) {
        self.recipe = recipe
        self.pictures = pictures
        self.cells = cells
    }

    /// Makes the set, the same on any number of threads.
    /// - Throws: `badData` when a shape cannot be seen.
    package init(_ recipe: Recipe, threads: Int, progress: ProgressHandler) throws {
        self.recipe = recipe
        let pictures = Buffer<UInt8>(uninitialized: recipe.shapes * recipe.views * recipe.pictureBytes)
        let cells = Buffer<UInt64>(zeros: recipe.count * recipe.cellWords)
        let shapes = ProceduralShapes(seed: recipe.seed)
        let memory = Unchecked((pictures.pointer, cells.pointer))
        let done = Counter()
        let side = recipe.cellSide
        let results = parallelMap(recipe.shapes, threads: threads, grain: 4) { index in
            Result<Void, any Error> {
                let (family, shape) = shapes.shape(index, recipe.split)
                func mark(_ bricks: [BrickCoordinate], number: Int) {
                    let bits = memory.value.1 + number * recipe.cellWords
                    for brick in bricks {
                        let place = (Int(brick.x) * side + Int(brick.y)) * side + Int(brick.z)
                        bits[place >> 6] |= 1 << UInt64(place & 63)
                    }
                }
                let bricks = BandSamples.cells(of: shape, resolution: recipe.resolution)
                mark(bricks, number: index)
                if recipe.mirrored {
                    let twin =
                        family.hasMirrorImages
                        ? BandSamples.cells(of: shape.mirrored, resolution: recipe.resolution) : bricks
                    mark(twin, number: recipe.shapes + index)
                }
                for view in 0..<recipe.views {
                    let picture = try conditionPicture(
                        shape, cells: bricks, recipe: recipe, number: index * recipe.views + view)
                    picture.colors.withUnsafeBufferPointer {
                        (memory.value.0 + (index * recipe.views + view) * recipe.pictureBytes).update(
                            from: $0.baseAddress!, count: recipe.pictureBytes)
                    }
                }
                progress(done.next(), recipe.shapes)
            }
        }
        for result in results { try result.get() }
        self.pictures = pictures
        self.cells = cells
    }

    /// Whether a cell of a shape holds a part of its surface.
    package func isOccupied(_ shape: Int, _ cell: Int) -> Bool {
        cells.pointer[shape * recipe.cellWords + cell >> 6] >> UInt64(cell & 63) & 1 != 0
    }

    /// The cells of a shape, ascending.
    package func bricks(_ shape: Int) -> [BrickCoordinate] {
        let side = recipe.cellSide
        return (0..<side * side * side).filter { isOccupied(shape, $0) }.map {
            BrickCoordinate(Int32($0 / (side * side)), Int32($0 / side % side), Int32($0 % side))
        }
    }

    /// A picture as the image encoder takes it: `[3, side, side]`, 0 … 1.
    package func write(shape: Int, view: Int, to target: UnsafeMutablePointer<Float>) {
        let (side, pixels) = (recipe.side, recipe.side * recipe.side)
        let (made, isMirrored) = recipe.origin(of: shape)
        let from = pictures.pointer + (made * recipe.views + view) * recipe.pictureBytes
        for channel in 0..<3 {
            let plane = target + channel * pixels
            guard isMirrored else {
                for pixel in 0..<pixels { plane[pixel] = Float(from[3 * pixel + channel]) / 255 }
                continue
            }
            for row in 0..<side {
                let last = from + 3 * (row * side + side - 1) + channel
                for column in 0..<side { plane[row * side + column] = Float(last[-3 * column]) / 255 }
            }
        }
    }
}

/// Picture number `number` of a set.
/// - Throws: `badData` when nothing of the shape is seen.
package func conditionPicture(
    _ shape: Shape, cells: [BrickCoordinate], recipe: PictureSet.Recipe, number: Int
) throws(Failure) -> ConditionImage {
    try ConditionImage(
        viewPicture(shape, cells: cells, recipe: recipe, number: number), side: recipe.side)
}

/// The same before the encoder's preparation: transparent around the shape.
package func viewPicture(
    _ shape: Shape, cells: [BrickCoordinate], recipe: PictureSet.Recipe, number: Int
) -> RasterImage {
    var generator = viewGenerator(recipe, number: number)
    let view = ShapeView(&generator)
    // Not the encoder's own size, so that each picture is resampled as a person's is.
    let side = Int(Double(recipe.side) * (1.3 + 0.5 * generator.uniform()))
    return ShapePicture(shape, cells: cells, resolution: recipe.resolution, view: view, side: side).image()
}

/// The view of picture number `number`.
package func shapeView(_ recipe: PictureSet.Recipe, number: Int) -> ShapeView {
    var generator = viewGenerator(recipe, number: number)
    return ShapeView(&generator)
}

private func viewGenerator(_ recipe: PictureSet.Recipe, number: Int) -> Philox {
    Philox(seed: recipe.seed, stream: UInt64(number) | 1 << 59 | (recipe.split == .heldOut ? 1 << 63 : 0))
}
