import SSDFCore
import SSDFVolume

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The edges at which a surface turns sharply, whichever way its triangles face.
///
/// An edge is sharp when one of its triangles is continued by no other within `angle` of its plane. Vertices at one
/// position count as one; edges of a single triangle are borders and not sharp; triangles without area count for nothing.
/// - Parameter angle: degrees from flat, 0…180.
/// - Returns: `[count, 2]` vertex numbers, by ascending first position and each edge once.
/// - Complexity: O(T log T) for T triangles.
package func sharpEdges(of mesh: TriangleMesh, angle: Double) -> [(UInt32, UInt32)] {
    let welded = WeldedVertices(mesh)
    let corners = welded.triangles(of: mesh)
    var sides: [(edge: UInt64, apex: UInt32)] = []
    sides.reserveCapacity(corners.count)
    for triangle in stride(from: 0, to: corners.count, by: 3) {
        for side in 0..<3 {
            let (a, b) = (corners[triangle + side], corners[triangle + (side + 1) % 3])
            guard a != b else { continue }
            sides.append((UInt64(min(a, b)) << 32 | UInt64(max(a, b)), corners[triangle + (side + 2) % 3]))
        }
    }
    sides.sort { ($0.edge, $0.apex) < ($1.edge, $1.apex) }
    let limit = Float(-cos(angle * .pi / 180))
    var result: [(UInt32, UInt32)] = []
    var start = 0
    var directions: [Vector3f] = []
    while start < sides.count {
        var end = start + 1
        while end < sides.count, sides[end].edge == sides[start].edge { end += 1 }
        defer { start = end }
        guard end - start > 1 else { continue }
        let a = welded.firstVertex[Int(sides[start].edge >> 32)]
        let b = welded.firstVertex[Int(sides[start].edge & 0xFFFF_FFFF)]
        let origin = mesh.position(Int(a))
        let along = (mesh.position(Int(b)) - origin).normalized
        directions.removeAll(keepingCapacity: true)
        for side in sides[start..<end] {
            // Into the triangle, at a right angle to the edge.
            let toApex = mesh.position(Int(welded.firstVertex[Int(side.apex)])) - origin
            let inward = (toApex - along * along.dot(toApex)).normalized
            if inward != .zero { directions.append(inward) }
        }
        guard directions.count > 1 else { continue }
        let isSharp = directions.contains { one in directions.allSatisfy { one.dot($0) > limit } }
        if isSharp { result.append((a, b)) }
    }
    return result
}

/// How near the voxels of a band lie to the sharp edges of its mesh.
///
/// - Parameters:
///   - volume: what `voxelize` made of `mesh` in the default cube.
///   - angle: which edges are sharp, degrees.
///   - reach: distance from an edge at which a voxel is no longer near it, voxels, 1…64.
/// - Returns: a grid "sharp" of kind `feature`, whose active voxels are those of `volume` less than `reach` from a sharp
///   edge; their values fall linearly from 1 at the edge to 0 at `reach`.
/// - Throws: as `voxelize`.
package func sharpness(
    of volume: borrowing SparseVolume, mesh: TriangleMesh, angle: Double, reach: Double, threads: Int
) throws(Failure) -> SparseVolume {
    var metadata = GridMetadata(name: "sharp", kind: .feature, resolution: volume.metadata.resolution)
    metadata.indexToWorld = volume.metadata.indexToWorld
    metadata.worldToSource = volume.metadata.worldToSource
    metadata.sourceHash = volume.metadata.sourceHash
    metadata.tool = volume.metadata.tool
    metadata.arguments = volume.metadata.arguments
    let edges = sharpEdges(of: mesh, angle: angle)
    guard !edges.isEmpty, let toWorld = volume.metadata.worldToSource.inverse else {
        return SparseVolume(
            metadata: metadata, bricks: Buffer([]), masks: Buffer([]), values: Buffer(uninitialized: 0))
    }
    // A triangle without area is the segment between its corners.
    var lines = TriangleMesh()
    lines.positions.reserveCapacity(6 * edges.count)
    for (a, b) in edges {
        let first = lines.addVertex(Vector3f(toWorld(Vector3d(mesh.position(Int(a))))))
        let second = lines.addVertex(Vector3f(toWorld(Vector3d(mesh.position(Int(b))))))
        lines.addTriangle(first, second, second)
    }
    var options = VoxelizeOptions()
    options.resolution = volume.metadata.resolution
    options.halfWidth = reach
    options.normalize = false
    options.sign = .none
    options.threads = threads
    let distances = try voxelize(lines, options: options)
    let scale = Float(1 / (reach * volume.metadata.voxelSize))
    var bricks: [BrickCoordinate] = []
    var masks: [UInt64] = []
    var values: [Float] = []
    for brick in 0..<distances.brickCount {
        guard let other = volume.brickIndex(of: distances.bricks.pointer[brick]) else { continue }
        var words = [UInt64](repeating: 0, count: 8)
        let firstValue = values.count
        var row = distances.offsets.pointer[brick]
        for word in 0..<8 {
            var bits = distances.masks.pointer[8 * brick + word]
            let there = volume.masks.pointer[8 * other + word]
            while bits != 0 {
                let flag = bits & ~(bits &- 1)
                let value = 1 - distances.values.pointer[row] * scale
                if there & flag != 0, value > 0 {
                    words[word] |= flag
                    values.append(value)
                }
                row += 1
                bits &= bits &- 1
            }
        }
        guard values.count > firstValue else { continue }
        bricks.append(distances.bricks.pointer[brick])
        masks += words
    }
    return SparseVolume(metadata: metadata, bricks: Buffer(bricks), masks: Buffer(masks), values: Buffer(values))
}
