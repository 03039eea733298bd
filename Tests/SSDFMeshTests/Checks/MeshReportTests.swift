import FixtureMeshes
import SSDFCore
import Testing

import SSDFMesh

@Suite struct MeshReportTests {
    @Test func tetrahedronHasKnownNumbers() {
        var mesh = TriangleMesh()
        for p in [Vector3f(0, 0, 0), [1, 0, 0], [0, 1, 0], [0, 0, 1]] { _ = mesh.addVertex(p) }
        mesh.addTriangle(0, 2, 1)
        mesh.addTriangle(0, 1, 3)
        mesh.addTriangle(0, 3, 2)
        mesh.addTriangle(1, 2, 3)
        let report = MeshReport(mesh, threads: 1)
        #expect(report.isPerfect)
        #expect(report.edgeCount == 6 && report.eulerCharacteristic == 2 && report.genus == 0)
        #expect(abs(report.volume - 1 / 6.0) < 1e-12)
        #expect(abs(report.area - (1.5 + 3.0.squareRoot() / 2)) < 1e-12)
        #expect(abs(report.minimumAngle - 45) < 1e-9)
        #expect(report.boundingBox == Box3f(minimum: [0, 0, 0], maximum: [1, 1, 1]))
    }

    @Test(arguments: FixtureMesh.all)
    func agreesWithWhatIsKnownOfFixtures(_ fixture: FixtureMesh) {
        let report = MeshReport(fixture.mesh, threads: 2)
        #expect(report == MeshReport(fixture.mesh, threads: 1))
        // What is known of these holds once equal positions are merged; the report looks at the mesh as it is.
        guard !["soup", "degenerate"].contains(fixture.name) else { return }
        #expect(report.isClosed == fixture.isClosed, "\(report)")
        if fixture.isClosed && fixture.isManifold { #expect(report.isManifold, "\(report)") }
        if fixture.isOriented { #expect(report.isConsistentlyOriented) }
        if let volume = fixture.volume, fixture.isClosed, fixture.isOriented, !fixture.isSelfIntersecting {
            #expect(abs(report.volume - volume) <= 1e-6 * abs(volume))
        }
    }

    @Test func torusAndNestedShellsHaveTheirGenus() {
        #expect(MeshReport(.torus(major: 0.6, minor: 0.25), threads: 1).genus == 1)
        #expect(MeshReport(FixtureMesh.named("hollow-ball").mesh, threads: 1).components == 2)
        #expect(MeshReport(FixtureMesh.named("many-components").mesh, threads: 1).components == 343)
    }

    @Test func openSheetHasOneLoop() {
        let report = MeshReport(.sheet(cells: 5), threads: 1)
        #expect(!report.isClosed && report.isManifold && report.isConsistentlyOriented)
        #expect(report.boundaryLoops == 1 && report.boundaryEdges == 20 && report.genus == 0)
    }

    @Test func moebiusStripCannotBeOriented() {
        let report = MeshReport(FixtureMesh.named("moebius").mesh, threads: 1)
        #expect(report.inconsistentEdges > 0 && report.nonManifoldEdges == 0 && report.nonManifoldVertices == 0)
        #expect(report.boundaryLoops == 1 && report.genus == nil)
    }

    @Test func faultsAreCounted() {
        let octahedron = TriangleMesh.octahedron()
        var turned = octahedron
        turned.triangles.swapAt(0, 1)
        #expect(MeshReport(turned, threads: 1).inconsistentEdges == 3)

        var doubled = octahedron
        doubled.triangles += [doubled.triangles[1], doubled.triangles[2], doubled.triangles[0]]
        doubled.triangles += [doubled.triangles[1], doubled.triangles[0], doubled.triangles[2]]
        let report = MeshReport(doubled, threads: 1)
        #expect(report.duplicateTriangles == 2 && report.nonManifoldEdges == 3 && !report.isManifold)

        var pair = TriangleMesh(positions: [0, 0, 0, 1, 0, 0, 0, 1, 0], triangles: [0, 1, 2, 0, 2, 1])
        #expect(MeshReport(pair, threads: 1).duplicateTriangles == 1)
        pair.triangles = [0, 1, 1]
        #expect(MeshReport(pair, threads: 1).degenerateTriangles == 1)
        #expect(MeshReport(pair, threads: 1).edgeCount == 0)
        pair = TriangleMesh(positions: [0, 0, 0, 1, 1, 1, 3, 3, 3], triangles: [0, 1, 2])
        #expect(MeshReport(pair, threads: 1).degenerateTriangles == 1)

        let edge = MeshReport(FixtureMesh.named("shared-edge").mesh, threads: 1)
        #expect(edge.nonManifoldEdges >= 1)

        // Two octahedra that share a vertex alone.
        var touching = octahedron
        touching.append(octahedron)
        touching.triangles = touching.triangles.map { $0 == UInt32(octahedron.vertexCount) ? 0 : $0 }
        let vertex = MeshReport(touching, threads: 1)
        #expect(vertex.nonManifoldEdges == 0 && vertex.nonManifoldVertices == 1 && vertex.components == 1)
        #expect(vertex.unusedVertices == 1)
    }

    @Test func survivesAnythingAtAll() {
        var random = Philox(seed: 3)
        for round in 0..<300 {
            let vertices = Int(random.next() % 12)
            var mesh = TriangleMesh()
            for _ in 0..<vertices {
                var p = Vector3f(Float(random.uniform()), Float(random.uniform()), Float(random.uniform()))
                if random.next() % 9 == 0 { p.y = .nan }
                if random.next() % 11 == 0 { p.x = .infinity }
                _ = mesh.addVertex(p)
            }
            for _ in 0..<Int(random.next() % 60) {
                let reach = UInt64(vertices) + (round % 3 == 0 ? 3 : 0)
                guard reach > 0 else { break }
                mesh.addTriangle(
                    UInt32(random.next() % reach), UInt32(random.next() % reach),
                    round % 7 == 0 ? .max : UInt32(random.next() % reach))
            }
            let report = MeshReport(mesh, threads: 2)
            #expect(report.triangleCount == mesh.triangleCount)
            #expect(report.invalidTriangles + report.degenerateTriangles <= 2 * report.triangleCount)
            #expect(report == MeshReport(mesh, threads: 1))
        }
        #expect(MeshReport(TriangleMesh(), threads: 1).isClosed == false)
    }

    /// A vertex with very many triangles must not take quadratic time.
    @Test func hugeFanTakesNoTime() {
        var mesh = TriangleMesh()
        let count = 200_000
        _ = mesh.addVertex([0, 0, 1])
        for i in 0..<count { _ = mesh.addVertex([Float(i), Float(i % 7), 0]) }
        for i in 0..<count { mesh.addTriangle(0, UInt32(1 + i), UInt32(1 + (i + 1) % count)) }
        let clock = ContinuousClock()
        let start = clock.now
        let report = MeshReport(mesh, threads: 1)
        #expect(clock.now - start < .seconds(10))
        #expect(report.boundaryLoops == 1 && report.isManifold && report.components == 1)
    }
}
