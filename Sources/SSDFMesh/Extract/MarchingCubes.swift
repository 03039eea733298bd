import CSSDFKernels
import SSDFCore

/// Marching cubes: vertices where the surface crosses the grid's edges, triangles cell by cell, with the topology of the
/// trilinear interpolant in every cell.
///
/// Source: Lorensen & Cline, Marching Cubes, 1987; Chernyaev, Marching Cubes 33, 1995; Lewiner et al., 2003.
func marchingCubes(
    _ surface: borrowing BrickSurface, _ coordinates: ExtractedCoordinates, normals wantsNormals: Bool, threads: Int
) throws(Failure) -> TriangleMesh {
    let count = surface.brickCount
    let cases = Buffer<UInt16>(uninitialized: surface.cellCount)
    let triangleCounts = Buffer<UInt32>(uninitialized: count)
    let centerCounts = Buffer<UInt32>(uninitialized: count)
    let caseStart = Unchecked(cases.pointer)
    let triangleCount = Unchecked(triangleCounts.pointer)
    let centerCount = Unchecked(centerCounts.pointer)
    let tables = MarchingCubesCases.shared
    surface.forEachTile(threads: threads) { grid, bricks in
        tables.withUnsafeTable { table in
            ssdf_extract_mc_cases(
                grid, table, bricks.lowerBound, bricks.upperBound, caseStart.value, triangleCount.value,
                centerCount.value)
        }
    }
    let centerBases = Buffer<UInt32>(uninitialized: count + 1)
    try BrickSurface.accumulate(centerCounts, into: centerBases, of: "vertices")
    let vertexCount = surface.pointCount + Int(centerBases.pointer[count])
    guard vertexCount < Int(UInt32.max) else {
        throw .badData("the surface has \(vertexCount) vertices", expected: "fewer than \(UInt32.max)")
    }
    let triangleBases = BrickSurface.accumulated(triangleCounts)
    let total = triangleBases.pointer[count]

    var mesh = TriangleMesh()
    mesh.positions = Array(filling: 3 * vertexCount) { storage in
        guard let start = storage.baseAddress else { return }
        surface.fillPoints(start, coordinates, threads: threads)
    }
    if wantsNormals {
        mesh.normals = Array(filling: 3 * vertexCount) { storage in
            guard let start = storage.baseAddress else { return }
            surface.fillNormals(start, coordinates, threads: threads)
        }
    }
    let triangleBase = Unchecked(triangleBases.pointer)
    let centerBase = Unchecked(centerBases.pointer)
    mesh.triangles = mesh.positions.withUnsafeMutableBufferPointer { positions in
        mesh.normals.withUnsafeMutableBufferPointer { normals in
            let points = Unchecked(positions.baseAddress)
            let normals = Unchecked(wantsNormals ? normals.baseAddress : nil)
            return Array(filling: 3 * total) { storage in
                let triangles = Unchecked(storage.baseAddress)
                guard triangles.value != nil, points.value != nil else { return }
                surface.forEachTile(threads: threads) { grid, bricks in
                    tables.withUnsafeTable(mirrored: coordinates.mirrors) { table in
                        ssdf_extract_mc_triangles(
                            grid, table, bricks.lowerBound, bricks.upperBound, caseStart.value, triangleBase.value,
                            centerBase.value, points.value!, normals.value, triangles.value!)
                    }
                }
            }
        }
    }
    return mesh
}
