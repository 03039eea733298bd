import SSDFCore
import SSDFVolume
import Synchronization

/// The narrow band of a mesh's signed distance field.
///
/// Active are exactly the voxels whose distance to the surface is at most the half width; each holds its distance to the
/// nearest triangle in world units, within 10⁻⁶ of half the grid's longest side, negative inside. Degenerate triangles
/// count as the segments or points they are. Values are rounded to multiples of one power of two (`VoxelGrid.quantum`,
/// 2⁻²⁶ for the default cube), which is finer than what single precision computes and lets files pack them as whole
/// numbers; no distance other than 0 becomes 0, and none changes side.
///
/// The metadata give the grid's place (`indexToWorld`), the way back to the mesh's own coordinates (`worldToSource`), the
/// truncation (half width in world units, also the background), and how the sign was found.
///
/// The result is the same for any number of threads. Memory is proportional to the band and the mesh.
///
/// - Throws: `usage` for options out of range; `badData` for a mesh without triangles, with coordinates that are not
///   finite, or without extent.
/// - Complexity: O(T + V·k) for T triangles and V active voxels, k triangles being within a few voxels of the nearest.
package func voxelize(_ mesh: TriangleMesh, options: VoxelizeOptions) throws(Failure) -> SparseVolume {
    let grid = try VoxelGrid(mesh, options: options)
    let plan = SignPlan.make(mesh, grid: grid, options: options)
    var volume: SparseVolume?
    mesh.withIndexedTriangles(grid.sourceToIndex) { triangles in
        plan.caps.withIndexedTriangles(grid.sourceToIndex) { caps in
            plan.rims.edges.withIndexedTriangles(grid.sourceToIndex) { rims in
                volume = band(triangles, caps: caps, rims: rims, grid: grid, sign: plan, options: options)
            }
        }
    }
    return volume!
}

private func band(
    _ mesh: IndexedTriangles, caps: IndexedTriangles, rims: IndexedTriangles, grid: VoxelGrid, sign: SignPlan,
    options: VoxelizeOptions
) -> SparseVolume {
    // A hair more than the half width, so that rounding of the bins can lose nothing.
    let reach = options.halfWidth + 1e-3
    let columns = ColumnGrid(box: grid.box, reach: reach)
    let plan = BandPlan(
        mesh: mesh, grid: grid, columns: columns,
        bins: ColumnBins(mesh, reach: reach, grid: columns, threads: options.threads),
        limit: options.halfWidth, sign: sign, caps: caps,
        capBins: ColumnBins(caps, reach: 0, grid: columns, threads: options.threads), rims: rims,
        rimBins: ColumnBins(rims, reach: reach * SurfaceRims.faceReach, grid: columns, threads: options.threads))
    let assembly = BandAssembly(layers: columns.countX, columnsInLayer: columns.countY)
    let workers = (0..<options.threads).map { _ in Worker() }
    let done = Atomic<Int>(0)
    parallelFor(columns.count, threads: options.threads) { worker, range in
        for column in range {
            if plan.bins.list(column).isEmpty {
                assembly.deliver(nil, column: column)
            } else {
                let band = assembly.band(column: column)
                workers[worker].voxelizer.voxelize(column, plan, into: band)
                assembly.deliver(band, column: column)
            }
            let finished = done.wrappingAdd(1, ordering: .relaxed).newValue
            options.progress?(finished, columns.count)
        }
    }
    var volume = assembly.finish(metadata(grid, sign: sign, options: options))
    if options.sign == .parity {
        let parity = ParitySign(mesh, box: grid.box, volume, threads: options.threads)
        volume.negate(parity.inside)
        volume.metadata.signMethod = .parity
        volume.metadata.signConfidence = parity.confidence
    } else if options.sign == .flood || sign.hasNoInside {
        let flood = FloodSign(volume)
        volume.negate(flood.inside)
        if options.sign == .flood || flood.hasInside {
            volume.metadata.signMethod = .flood
            volume.metadata.signConfidence = flood.confidence
        } else {
            volume.metadata.signMethod = .none
        }
    }
    return volume
}

private func metadata(_ grid: VoxelGrid, sign: SignPlan, options: VoxelizeOptions) -> GridMetadata {
    var metadata = GridMetadata(name: "sdf", kind: options.sign == .none ? .udf : .sdf, resolution: grid.resolution)
    metadata.indexToWorld = grid.indexToWorld
    metadata.worldToSource = grid.worldToSource
    metadata.truncation = options.halfWidth * grid.voxelSize
    metadata.background = metadata.truncation
    metadata.signMethod = sign.method
    metadata.signConfidence = sign.confidence
    return metadata
}

extension SparseVolume {
    /// Turns the values of the voxels whose bits are set negative.
    /// - Parameter inside: eight words a brick.
    fileprivate mutating func negate(_ inside: borrowing Buffer<UInt64>) {
        for brick in 0..<brickCount {
            var row = offsets.pointer[brick]
            for word in 0..<8 {
                var bits = masks.pointer[8 * brick + word]
                while bits != 0 {
                    let flag = bits & ~(bits &- 1)
                    let value = values.pointer[row]
                    // Zero stays +0: it is on the surface, on neither side.
                    if inside.pointer[8 * brick + word] & flag != 0, value > 0 { values.pointer[row] = -value }
                    row += 1
                    bits &= bits &- 1
                }
            }
        }
    }
}

/// Keeps a worker's memory from one column to the next. Each is used by one thread at a time.
private final class Worker: @unchecked Sendable {
    var voxelizer = ColumnVoxelizer()
}
