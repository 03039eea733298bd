import SSDFCore

/// Turns triangles so that neighbours agree and outsides face out; returns how many were turned.
///
/// Neighbours are faces at an edge of exactly two. Each connected patch is first turned one way, that of the larger part
/// of its area. A patch that is closed then faces out by its volume, unless it lies within another closed one: a wall
/// within may be that of a cavity, and stays as it is. An open patch faces where more rays from it get away.
///
/// - Complexity: O(n log n).
///
/// Source: Takayama, Jacobson, Kavan, Sorkine-Hornung, "A Simple Method for Correcting Facet Orientations in Polygon
/// Meshes Based on Ray Casting", 2014.
func orientOutward(_ mesh: inout TriangleMesh, threads: Int) -> Int {
    let count = mesh.triangleCount
    guard count > 0 else { return 0 }
    var patches = FacePatches(mesh)
    let tree = TriangleBVH(mesh, threads: threads)
    let size = Double(mesh.boundingBox.longestSide)
    let decisions = parallelMap(patches.members.count, threads: threads) { [patches, mesh] patch in
        patches.isClosed[patch]
            ? patches.volume(patch, mesh) < 0 && depth(of: patch, patches, mesh, tree, size) % 2 == 0
            : facesInward(patch, patches, mesh, tree, size)
    }
    for (patch, turns) in decisions.enumerated() where turns {
        for t in patches.members[patch] { patches.isTurned[t].toggle() }
    }
    var turned = 0
    for t in 0..<count where patches.isTurned[t] {
        mesh.triangles.swapAt(3 * t + 1, 3 * t + 2)
        turned += 1
    }
    return turned
}

/// Faces joined across edges of exactly two, each patch turned one way.
private struct FacePatches {
    var members: [[Int]] = []
    var isClosed: [Bool] = []
    var isTurned: [Bool]
    private(set) var patchOf: [Int32]

    init(_ mesh: TriangleMesh) {
        let count = mesh.triangleCount
        isTurned = [Bool](repeating: false, count: count)
        patchOf = [Int32](repeating: -1, count: count)
        // The other half-edge, whichever way it runs; -1 where there is none or more than one.
        let partners = [Int32](filling: 3 * count, with: -1) { partners in
            MeshEdges(mesh.triangles, vertexCount: mesh.vertexCount).forEach { _, _, halves in
                guard halves.count == 2 else { return }
                partners[halves[0]] = Int32(halves[1])
                partners[halves[1]] = Int32(halves[0])
            }
        }
        for seed in 0..<count where patchOf[seed] < 0 {
            var queue = [seed]
            patchOf[seed] = Int32(members.count)
            var closed = true
            var (kept, turned) = (0.0, 0.0)
            var head = 0
            while head < queue.count {
                let t = queue[head]
                head += 1
                let area = mesh.areaVector(t).length
                if isTurned[t] { turned += area } else { kept += area }
                for h in 3 * t..<3 * t + 3 {
                    guard partners[h] >= 0 else {
                        closed = false
                        continue
                    }
                    let other = Int(partners[h]) / 3
                    let agrees = mesh.triangles[h] != mesh.triangles[Int(partners[h])]
                    if patchOf[other] < 0 {
                        patchOf[other] = Int32(members.count)
                        isTurned[other] = isTurned[t] == agrees
                        queue.append(other)
                    } else if (isTurned[other] == isTurned[t]) != agrees {
                        // One-sided: no side is the outer one.
                        closed = false
                    }
                }
            }
            if turned > kept {
                for t in queue { isTurned[t].toggle() }
            }
            members.append(queue)
            isClosed.append(closed)
        }
    }

    func volume(_ patch: Int, _ mesh: TriangleMesh) -> Double {
        let center = mesh.centroid(members[patch][0])
        return members[patch].reduce(0) { sum, t in
            sum + (mesh.centroid(t) - center).dot(mesh.areaVector(t)) * (isTurned[t] ? -1 : 1)
        }
    }
}

/// How many other closed patches a closed patch lies within.
private func depth(
    of patch: Int, _ patches: FacePatches, _ mesh: TriangleMesh, _ tree: TriangleBVH, _ size: Double
) -> Int {
    guard patches.members.count > 1 else { return 0 }
    let start = mesh.centroid(patches.members[patch][0])
    // A direction that no modeller would choose, so that edges and corners are seldom met.
    let direction = Vector3f(0.3713907, 0.7427814, 0.5570861)
    var crossings: [Int32: Int] = [:]
    for hit in tree.hits(Ray(origin: Vector3f(start), direction: direction)) {
        let other = patches.patchOf[hit.triangle]
        if other != patch, patches.isClosed[Int(other)] { crossings[other, default: 0] += 1 }
    }
    return crossings.values.count { $0 % 2 == 1 }
}

/// Whether the back of an open patch sees more of the outside than its front.
private func facesInward(
    _ patch: Int, _ patches: FacePatches, _ mesh: TriangleMesh, _ tree: TriangleBVH, _ size: Double
) -> Bool {
    let members = patches.members[patch]
    let area = members.reduce(0) { $0 + mesh.areaVector($1).length }
    guard area > 0 else { return false }
    let directions = sphereDirections(32)
    var (front, back) = (0, 0)
    // Samples by area: every 1/64 of the patch's, in the order of its faces.
    var passed = 0.0
    var sample = 0
    for t in members {
        let vector = mesh.areaVector(t)
        passed += vector.length
        guard passed * 64 > area * (Double(sample) + 0.5) else { continue }
        while passed * 64 > area * (Double(sample) + 0.5) { sample += 1 }
        let normal = vector.normalized * (patches.isTurned[t] ? -1 : 1)
        let center = mesh.centroid(t)
        for direction in directions {
            let slope = direction.dot(normal)
            let origin = center + normal * (slope > 0 ? 1e-5 : -1e-5) * size
            guard !tree.isHit(Ray(origin: Vector3f(origin), direction: Vector3f(direction))) else { continue }
            if slope > 0 { front += 1 } else { back += 1 }
        }
    }
    return back > front
}

/// Directions spread evenly over the sphere: a Fibonacci lattice.
func sphereDirections(_ count: Int) -> [Vector3d] {
    (0..<count).map { i in
        let z = 1 - (2 * Double(i) + 1) / Double(count)
        let (sine, cosine) = circle(turns: Double(i) * 0.618_033_988_749_894_9)
        let r = max(0, 1 - z * z).squareRoot()
        return Vector3d(r * cosine, r * sine, z)
    }
}
