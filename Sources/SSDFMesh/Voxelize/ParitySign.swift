import SSDFCore
import SSDFVolume

/// Inside and outside by counting crossings along x, y and z and taking the majority of the three.
struct ParitySign: ~Copyable {
    /// Set where a voxel is inside, eight words a brick.
    let inside: Buffer<UInt64>
    /// Share of the active voxels on which all three lines agree.
    private(set) var confidence = 1.0

    /// - Complexity: O(crossings + voxels of the bricks).
    init(_ mesh: IndexedTriangles, box: Box3d, _ volume: borrowing SparseVolume, threads: Int) {
        let words = 8 * volume.brickCount
        let votes = Buffer<UInt64>(zeros: 3 * words)
        for axis in 0..<3 {
            Self.vote(mesh, box: box, volume, axis: axis, into: votes.pointer + axis * words, threads: threads)
        }
        inside = Buffer(uninitialized: words)
        var agreed = 0
        for n in 0..<words {
            let (a, b, c) = (votes.pointer[n], votes.pointer[words + n], votes.pointer[2 * words + n])
            inside.pointer[n] = a & b | b & c | a & c
            agreed += (~(a ^ b | b ^ c) & volume.masks.pointer[n]).nonzeroBitCount
        }
        confidence = Double(agreed) / Double(max(1, volume.activeCount))
    }

    /// Sets the bits of the voxels below which lines along `axis` cross the surface an odd number of times.
    ///
    /// The mesh is turned so that the axis becomes z; what `WindingLines` counts along z serves for all three.
    private static func vote(
        _ mesh: IndexedTriangles, box: Box3d, _ volume: borrowing SparseVolume, axis: Int,
        into votes: UnsafeMutablePointer<UInt64>, threads: Int
    ) {
        let order = [(axis + 1) % 3, (axis + 2) % 3, axis]
        func turned(_ v: Vector3d) -> Vector3d { Vector3d(v[order[0]], v[order[1]], v[order[2]]) }
        let map = AffineTransform3(
            x: turned(mesh.map.x), y: turned(mesh.map.y), z: turned(mesh.map.z),
            translation: turned(mesh.map.translation))
        let triangles = IndexedTriangles(
            positions: mesh.positions, triangles: mesh.triangles, count: mesh.count, map: map)
        // The columns must hold every brick of the volume, and a brick reaches up to 8 voxels beyond the band.
        let reach = volume.metadata.truncation / volume.metadata.voxelSize + 9
        let columns = ColumnGrid(
            box: Box3d(minimum: turned(box.minimum), maximum: turned(box.maximum)), reach: reach)
        let bins = ColumnBins(triangles, reach: 0, grid: columns, threads: threads)
        var bricksIn = [[(position: SIMD3<Int32>, brick: Int)]](repeating: [], count: columns.count)
        for brick in 0..<volume.brickCount {
            let b = volume.bricks.pointer[brick]
            let all = [b.x, b.y, b.z]
            let p = SIMD3(all[order[0]], all[order[1]], all[order[2]])
            let column = (Int(p.x >> 2) - columns.firstX) * columns.countY + Int(p.y >> 2) - columns.firstY
            bricksIn[column].append((p, brick))
        }
        let target = Unchecked(votes)
        let plan = Unchecked((bricksIn, order))
        parallelFor(columns.count, threads: threads) { range in
            var lines = WindingLines()
            let counts = Buffer<Int32>(uninitialized: 512)
            let (bricksIn, order) = plan.value
            for column in range where !bricksIn[column].isEmpty {
                let origin = columns.origin(column)
                lines.begin()
                for t in bins.list(column) {
                    lines.add(triangles.corners(Int(t)), weight: 1, isSigned: false, x0: origin.x, y0: origin.y)
                }
                lines.finish()
                for (p, brick) in bricksIn[column].sorted(by: { $0.position.z < $1.position.z }) {
                    lines.windings(
                        x: Int(p.x) * 8 - origin.x, y: Int(p.y) * 8 - origin.y, z: Int(p.z) * 8,
                        into: counts.pointer)
                    for n in 0..<512 where counts.pointer[n] & 1 != 0 {
                        var local = [0, 0, 0]
                        local[order[0]] = n >> 6
                        local[order[1]] = n >> 3 & 7
                        local[order[2]] = n & 7
                        target.value[8 * brick + local[0]] |= 1 << UInt64(local[1] << 3 | local[2])
                    }
                }
            }
        }
    }
}
