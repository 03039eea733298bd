import SSDFCore
import SSDFImage
import SSDFVolume

extension PreparedData {
    /// What a set of this folder's pictures is made from.
    /// - Throws: `badData` when a sample has fewer pictures, or no volume of that resolution.
    package func pictureRecipe(views: Int, side: Int, resolution: Int) throws(Failure) -> PictureSet.Recipe {
        try check(resolution: resolution)
        for sample in samples where sample.views.count < views {
            throw .badData(
                file: "\(path)/\(PreparationFolder.manifestName)", place: "sample \(sample.name)",
                "\(sample.views.count) pictures", expected: "\(views); the configuration asks for them")
        }
        var recipe = PictureSet.Recipe(
            seed: 0, shapes: samples.count, views: views, side: side, resolution: resolution)
        recipe.data = identity
        return recipe
    }

    /// A picture of a sample, as the image encoder takes it.
    func picture(_ index: Int, view: Int, side: Int) throws(Failure) -> ConditionImage {
        let sample = samples[index]
        let name = "\(path)/\(PreparationFolder.samplesName)/\(sample.name)/\(sample.views[view].file)"
        let picture = try FileBytes(path: name).withBytes { bytes throws(Failure) in
            do throws(Failure) {
                return try ConditionImage(RasterImage(png: bytes), side: side)
            } catch { throw error.inFile(name) }
        }
        return picture
    }
}

extension PictureSet {
    /// The pictures and cells of a folder's samples.
    package convenience init(
        _ data: PreparedData, _ recipe: Recipe, threads: Int, progress: ProgressHandler
    ) throws {
        let pictures = Buffer<UInt8>(uninitialized: recipe.shapes * recipe.views * recipe.pictureBytes)
        let cells = Buffer<UInt64>(zeros: recipe.shapes * recipe.cellWords)
        let memory = Unchecked((pictures.pointer, cells.pointer))
        let done = Counter()
        let side = recipe.cellSide
        let results = parallelMap(recipe.shapes, threads: threads) { index in
            Result<Void, any Error> {
                let bits = memory.value.1 + index * recipe.cellWords
                for brick in try data.cells(ofSample: index, resolution: recipe.resolution) {
                    let inside = [brick.x, brick.y, brick.z].allSatisfy { (0..<Int32(side)).contains($0) }
                    guard inside else { continue }
                    let place = (Int(brick.x) * side + Int(brick.y)) * side + Int(brick.z)
                    bits[place >> 6] |= 1 << UInt64(place & 63)
                }
                for view in 0..<recipe.views {
                    let picture = try data.picture(index, view: view, side: recipe.side)
                    picture.colors.withUnsafeBufferPointer {
                        (memory.value.0 + (index * recipe.views + view) * recipe.pictureBytes).update(
                            from: $0.baseAddress!, count: recipe.pictureBytes)
                    }
                }
                progress(done.next(), recipe.shapes)
            }
        }
        for result in results { try result.get() }
        self.init(recipe: recipe, pictures: pictures, cells: cells)
    }
}
