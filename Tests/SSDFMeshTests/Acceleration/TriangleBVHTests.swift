import CSSDFKernels
import FixtureMeshes
import SSDFCore
import Testing

import SSDFMesh

@Suite struct TriangleBVHTests {
    /// Points in and around the box of a mesh, some of them exactly on vertices and edge midpoints.
    private func queries(_ mesh: TriangleMesh, count: Int, seed: UInt64) -> [Vector3f] {
        var random = Philox(seed: seed)
        let box = mesh.boundingBox
        return (0..<count).map { index in
            if index % 7 == 0, mesh.triangleCount > 0 {
                let (a, b, _) = mesh.corners(Int(random.next() % UInt64(mesh.triangleCount)))
                return index % 2 == 0 ? mesh.position(a) : (mesh.position(a) + mesh.position(b)) * 0.5
            }
            let u = Vector3f(Float(random.uniform()), Float(random.uniform()), Float(random.uniform()))
            return box.minimum + box.size * (u * 1.6 - 0.3)
        }
    }

    /// Squared distance from a point to a triangle, by the closest of the plane's foot and the three segments.
    private func distanceSquared(_ p: Vector3d, _ a: Vector3d, _ b: Vector3d, _ c: Vector3d) -> Double {
        func segment(_ a: Vector3d, _ b: Vector3d) -> Double {
            let along = b - a
            let length = along.lengthSquared
            let t = length > 0 ? max(0, min(1, (p - a).dot(along) / length)) : 0
            return (a + along * t - p).lengthSquared
        }
        var best = min(segment(a, b), segment(b, c), segment(c, a))
        let n = (b - a).cross(c - a)
        if n.lengthSquared > 0 {
            let inside = [(a, b), (b, c), (c, a)].allSatisfy { n.dot(($1 - $0).cross(p - $0)) >= 0 }
            let height = n.dot(p - a)
            if inside { best = min(best, height * height / n.lengthSquared) }
        }
        return best
    }

    private static let names = FixtureMesh.all.filter { $0.mesh.triangleCount <= 12_000 }.map(\.name)

    @Test(arguments: names) func closestPointMatchesBruteForce(_ name: String) throws {
        let mesh = FixtureMesh.named(name).mesh
        let tree = TriangleBVH(mesh, threads: 2)
        let scale = Double(max(mesh.boundingBox.longestSide, 1e-3))
        for q in queries(mesh, count: 60, seed: 1) {
            let p = Vector3d(q)
            let expected = (0..<mesh.triangleCount).map { t -> Double in
                let (a, b, c) = mesh.cornerPositions(t)
                return distanceSquared(p, a, b, c)
            }.min()
            let found = tree.closestPoint(to: q)
            guard let expected else {
                #expect(found == nil)
                continue
            }
            let place = try #require(found)
            let error = abs(Double(place.distanceSquared).squareRoot() - expected.squareRoot())
            #expect(error <= 2e-6 * scale, "\(name): \(q)")
            #expect(abs(Double((place.point - q).length) - expected.squareRoot()) <= 2e-6 * scale)
            #expect(place.weights.min() >= 0 && abs(place.weights.sum() - 1) < 1e-5)
            let (a, b, c) = mesh.corners(place.triangle)
            let mixed =
                mesh.position(a) * place.weights.x + mesh.position(b) * place.weights.y
                + mesh.position(c) * place.weights.z
            #expect(Double((mixed - place.point).length) <= 2e-6 * scale)
            if expected.squareRoot() > 1e-3 * scale {
                let reach = Float(expected.squareRoot()) * 0.99
                #expect(tree.closestPoint(to: q, within: reach)?.triangle == nil)
            }
        }
    }

    @Test func featuresNameThePlace() throws {
        let mesh = TriangleMesh(positions: [0, 0, 0, 1, 0, 0, 0, 1, 0], triangles: [0, 1, 2])
        let tree = TriangleBVH(mesh)
        let cases: [(Vector3f, ClosestPoint.Feature)] = [
            ([0.2, 0.2, 1], .face), ([0.5, -1, 0], .edge(0)), ([1, 1, 0], .edge(1)), ([-1, 0.5, 2], .edge(2)),
            ([-1, -1, 0], .vertex(0)), ([2, -1, 0], .vertex(1)), ([-1, 3, 0], .vertex(2)),
        ]
        for (point, feature) in cases {
            let place = try #require(tree.closestPoint(to: point))
            #expect(place.feature == feature)
        }
    }

    /// Möller–Trumbore in double precision: t of the hit, with the smallest barycentric weight as its margin.
    private func intersect(_ ray: Ray, _ a: Vector3d, _ b: Vector3d, _ c: Vector3d) -> (t: Double, margin: Double)? {
        let d = Vector3d(ray.direction)
        let h = d.cross(c - a)
        let determinant = (b - a).dot(h)
        guard abs(determinant) > 1e-300 else { return nil }
        let s = Vector3d(ray.origin) - a
        let u = s.dot(h) / determinant
        let q = s.cross(b - a)
        let v = d.dot(q) / determinant
        return ((c - a).dot(q) / determinant, min(u, v, 1 - u - v))
    }

    @Test(arguments: names) func raysMatchBruteForce(_ name: String) {
        let fixture = FixtureMesh.named(name)
        let mesh = fixture.mesh
        let tree = TriangleBVH(mesh, threads: 2)
        let targets = queries(mesh, count: 80, seed: 2)
        var compared = 0
        for (index, origin) in queries(mesh, count: 40, seed: 3).enumerated() {
            var direction = targets[index * 2] - origin
            if index % 5 == 0 { direction = [0, 0, index % 2 == 0 ? 1 : -1] }
            guard direction.length > 1e-3 else { continue }
            let ray = Ray(origin: origin, direction: direction)
            var expected: [(t: Double, triangle: Int)] = []
            var isClear = true
            for t in 0..<mesh.triangleCount {
                let (a, b, c) = mesh.cornerPositions(t)
                guard let hit = intersect(ray, a, b, c) else { continue }
                // Where the brute force itself cannot tell, it is no judge.
                if abs(hit.margin) < 1e-4 && hit.t > -1e-4 || hit.margin > 0 && abs(hit.t) < 1e-4 { isClear = false }
                if hit.margin > 0, hit.t > 0 { expected.append((hit.t, t)) }
            }
            guard isClear else { continue }
            compared += 1
            expected.sort { $0.t < $1.t }
            let found = tree.hits(ray)
            #expect(found.count == expected.count, "\(name)")
            #expect(tree.isHit(ray) == !expected.isEmpty)
            let first = tree.firstHit(ray)
            #expect((first == nil) == expected.isEmpty)
            if let first, let nearest = expected.first {
                #expect(abs(Double(first.t) - nearest.t) <= 1e-4 * max(1, nearest.t))
                let (a, b, c) = mesh.cornerPositions(first.triangle)
                let normal = (b - a).cross(c - a)
                #expect(first.enters == (normal.dot(Vector3d(direction)) < 0))
            }
        }
        if mesh.triangleCount < 1000 { #expect(compared > 0 || !fixture.isManifold) }
    }

    /// Rays through the vertices and along the axes of a closed mesh cross it an even number of times, and enter as
    /// often as they leave.
    @Test func crossingsBalanceThroughVerticesAndEdges() {
        for mesh in [FixtureMesh.named("cube").mesh, TriangleMesh.octahedron(), TriangleMesh.gear()] {
            let tree = TriangleBVH(mesh)
            let directions: [Vector3f] = [[1, 0, 0], [0, -1, 0], [0, 0, 1], [1, 1, 0], [-1, 2, 1], [1, 1, 1]]
            for v in stride(from: 0, to: mesh.vertexCount, by: max(1, mesh.vertexCount / 200)) {
                for direction in directions {
                    let ray = Ray(origin: mesh.position(v) - direction * 16, direction: direction)
                    let hits = tree.hits(ray)
                    #expect(hits.count % 2 == 0)
                    #expect(hits.filter(\.enters).count * 2 == hits.count)
                }
            }
        }
    }

    @Test func bodiesAgree() {
        let mesh = FixtureMesh.clean.max { $0.mesh.triangleCount < $1.mesh.triangleCount }!.mesh
        let tree = TriangleBVH(mesh)
        let points = queries(mesh, count: 2000, seed: 4).flatMap { [$0.x, $0.y, $0.z] }
        let none = ssdf_bvh_closest()
        var plain = [ssdf_bvh_closest](repeating: none, count: 2000)
        tree.withTree { ssdf_bvh_closest_points_isa(0, $0, points, 2000, .infinity, &plain) }
        for isa in 0...ssdf_isa() {
            var other = [ssdf_bvh_closest](repeating: none, count: 2000)
            tree.withTree { ssdf_bvh_closest_points_isa(isa, $0, points, 2000, .infinity, &other) }
            for (a, b) in zip(plain, other) {
                #expect(abs(a.distance_squared.squareRoot() - b.distance_squared.squareRoot()) <= 1e-6)
            }
        }
    }

    @Test func pointsWithinReachAreThoseNoFartherThanTheClosest() {
        let mesh = FixtureMesh.clean.max { $0.mesh.triangleCount < $1.mesh.triangleCount }!.mesh
        let tree = TriangleBVH(mesh)
        let points = queries(mesh, count: 500, seed: 7)
        let distances = points.map { tree.closestPoint(to: $0)!.distanceSquared }
        for reach in [0, distances.sorted()[250], .infinity] as [Float] {
            for (p, distance) in zip(points, distances) where abs(distance - reach) > 1e-5 * distance {
                let isWithin = tree.withTree { ssdf_bvh_all_within($0, [p.x, p.y, p.z], 1, reach) } != 0
                #expect(isWithin == (distance <= reach))
            }
        }
        let packed = points.flatMap { [$0.x, $0.y, $0.z] }
        #expect(tree.withTree { ssdf_bvh_all_within($0, packed, 500, distances.max()! * 1.0001) } == 1)
        #expect(tree.withTree { ssdf_bvh_all_within($0, packed, 500, distances.max()! * 0.9999) } == 0)
    }

    /// Rays, likewise; where one passes an edge, rounding decides.
    @Test func instructionSetsMeetTheSameTriangles() {
        let mesh = FixtureMesh.clean.max { $0.mesh.triangleCount < $1.mesh.triangleCount }!.mesh
        let tree = TriangleBVH(mesh)
        let center = mesh.boundingBox.center
        let rays = queries(mesh, count: 2000, seed: 6).map { p in
            let d = center - p
            return ssdf_bvh_ray(
                origin: (p.x, p.y, p.z), direction: (d.x, d.y, d.z), near: 0, far: .greatestFiniteMagnitude)
        }
        let none = ssdf_bvh_hit()
        var plain = [ssdf_bvh_hit](repeating: none, count: rays.count)
        tree.withTree { ssdf_bvh_first_hits_isa(0, $0, rays, rays.count, &plain) }
        #expect(plain.count { $0.triangle != .max } > 500)
        for isa in 0...ssdf_isa() {
            var other = [ssdf_bvh_hit](repeating: none, count: rays.count)
            tree.withTree { ssdf_bvh_first_hits_isa(isa, $0, rays, rays.count, &other) }
            let differing = zip(plain, other).count { a, b in
                a.triangle != b.triangle && !(a.triangle != .max && b.triangle != .max && abs(a.t - b.t) <= 1e-5)
            }
            #expect(differing <= 4, "instruction set \(isa): \(differing) of \(rays.count)")
        }
    }

    @Test func threadsDoNotChangeAnswers() {
        let mesh = TriangleMesh.scan()
        let one = TriangleBVH(mesh, threads: 1)
        let many = TriangleBVH(mesh, threads: 5)
        for q in queries(mesh, count: 500, seed: 5) {
            let (a, b) = (one.closestPoint(to: q), many.closestPoint(to: q))
            #expect(a?.triangle == b?.triangle && a?.point == b?.point)
        }
    }

    @Test func emptyMeshHasNothing() {
        let tree = TriangleBVH(TriangleMesh())
        #expect(tree.closestPoint(to: .zero) == nil)
        #expect(tree.firstHit(Ray(origin: .zero, direction: [0, 0, 1])) == nil)
        #expect(tree.hits(Ray(origin: .zero, direction: [0, 0, 1])).isEmpty)
    }

    /// A thousand copies of one triangle, and clusters whose sizes span the range of floats.
    @Test func coincidentAndScatteredTriangles() throws {
        var mesh = TriangleMesh()
        for level in 0..<1000 {
            let s: Float = level < 500 ? 1 : 1e-18 * Float(level)
            let a = mesh.addVertex([0, 0, 0])
            let b = mesh.addVertex([s, 0, 0])
            let c = mesh.addVertex([0, s, 0])
            mesh.addTriangle(a, b, c)
        }
        let place = try #require(TriangleBVH(mesh).closestPoint(to: [0.25, 0.25, 2]))
        #expect(place.triangle == 0)
        #expect(place.distanceSquared == 4)
    }
}
