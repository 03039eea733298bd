import CSSDFKernels
import SSDFCore
import SSDFVolume

/// The surface of a volume as a triangle mesh.
///
/// Works straight off the bricks. Faces come only from cells whose eight corners are active, so that the missing
/// voxels around a band raise no second skin: where a band ends before the surface closes, the mesh has a boundary.
/// Elsewhere it is closed, oriented outwards and 2-manifold, without duplicate or degenerate faces; each vertex is
/// shared by all the triangles that meet in it, across bricks as within them.
///
/// Distances (`sdf`, `udf`) are inside below the level; `occupancy` is inside above it. An unsigned distance has no
/// inside at level 0, so its level must be positive: the result is the surface at that distance on both sides.
///
/// - Returns: a mesh with positions in the coordinates asked for; without triangles when the volume holds no surface.
/// - Throws: `badData` when the grid holds something without a surface, its values are not finite, or the mesh would
///   have more vertices than 32 bits can number.
/// - Complexity: O(active voxels + triangles).
package func extractSurface(_ volume: borrowing SparseVolume, options: ExtractOptions) throws(Failure) -> TriangleMesh {
    try extractSurface(volume, options: options, isa: ssdf_isa())
}

/// As above, with the instruction set given, so that tests can compare them.
package func extractSurface(
    _ volume: borrowing SparseVolume, options: ExtractOptions, isa: Int32
) throws(Failure) -> TriangleMesh {
    let iso = try surfaceLevel(of: volume.metadata, asked: options.iso)
    let coordinates = try ExtractedCoordinates(volume, options.coordinates)
    let threads = max(options.threads, 1)
    let surface = try BrickSurface.find(
        in: volume, iso: iso, above: volume.metadata.kind == .occupancy, isa: isa, threads: threads)
    options.progress?(1, 2)
    let normals = options.normals
    let mesh =
        switch options.method {
        case .mc: try marchingCubes(surface, coordinates, normals: normals, threads: threads)
        case .dmc: try dualMarchingCubes(surface, coordinates, normals: normals, threads: threads)
        case .dc:
            try dualContouring(
                surface, coordinates, step: distanceStep(of: volume.metadata), normals: normals, threads: threads)
        }
    options.progress?(2, 2)
    return mesh
}

/// The level to extract at, checked against what the grid holds.
private func surfaceLevel(of metadata: GridMetadata, asked: Double?) throws(Failure) -> Double {
    let place = "grid \"\(metadata.name)\""
    guard metadata.kind == .sdf || metadata.kind == .udf || metadata.kind == .occupancy else {
        throw .badData(
            place: place, "a \(metadata.kind.name) grid has no surface", expected: "kind sdf, udf or occupancy")
    }
    guard metadata.channels == 1 else {
        throw .badData(place: place, "\(metadata.channels) values a voxel", expected: "1 to extract a surface")
    }
    let iso = asked ?? metadata.isoValue
    guard iso.isFinite, abs(iso) <= Double(Float.greatestFiniteMagnitude) else {
        throw .badData(place: place, "iso value is \(iso)", expected: "a finite number")
    }
    guard metadata.kind != .udf || iso > 0 else {
        throw .badData(
            place: place, "iso value is \(iso) and distances are unsigned", expected: "a positive iso value")
    }
    return iso
}

/// By how much a distance changes a voxel along its gradient, or 0 where that is not the same in all directions or the
/// values are not distances.
private func distanceStep(of metadata: GridMetadata) -> Double {
    guard metadata.kind == .sdf || metadata.kind == .udf else { return 0 }
    let map = metadata.indexToWorld
    let size = metadata.voxelSize
    let lengths = [map.x.length, map.y.length, map.z.length]
    let products = [map.x.dot(map.y), map.y.dot(map.z), map.z.dot(map.x)]
    let isUniform =
        lengths.allSatisfy { abs($0 - size) <= 1e-6 * size } && products.allSatisfy { abs($0) <= 1e-6 * size * size }
    return isUniform ? size : 0
}
