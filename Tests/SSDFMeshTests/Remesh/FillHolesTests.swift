import FixtureMeshes
import SSDFCore
import SSDFMesh
import Testing

@Suite struct FillHolesTests {
    /// A sphere without the faces near its top.
    private func openSphere(height: Float) -> TriangleMesh {
        let ball = TriangleMesh.icosphere(radius: 1, frequency: 24)
        var mesh = TriangleMesh(positions: ball.positions)
        for t in 0..<ball.triangleCount {
            let (a, b, c) = ball.cornerPositions(t)
            if Float((a.y + b.y + c.y) / 3) < height { mesh.triangles += ball.triangles[3 * t..<3 * t + 3] }
        }
        mesh.removeUnusedVertices()
        return mesh
    }

    @Test func theSurfaceGoesOn() {
        let mesh = openSphere(height: 0.8)
        let result = fillHoles(mesh, options: FillHolesOptions())
        let report = MeshReport(result.mesh, threads: 1)
        #expect(result.filledHoles == 1 && report.isClosedOrientedManifold && report.genus == 0)
        #expect(result.mesh.triangles.starts(with: mesh.triangles))
        // A flat lid would lie 0.2 below the top; a fair one bulges to most of the sphere's height.
        #expect(result.mesh.boundingBox.maximum.y > 0.93 && result.mesh.boundingBox.maximum.y < 1.07)
        #expect(TriangleQuality(result.mesh).minimumAngle > 15)
    }

    @Test func aFlatHoleIsFilledFlat() {
        let box = TriangleMesh.box(divisions: 6)
        var mesh = TriangleMesh(positions: box.positions)
        for t in 0..<box.triangleCount {
            let (a, b, c) = box.cornerPositions(t)
            let center = (a + b + c) / 3
            let isInHole = center.z > Double(box.boundingBox.maximum.z) - 1e-6 && abs(center.x) + abs(center.y) < 0.25
            if !isInHole { mesh.triangles += box.triangles[3 * t..<3 * t + 3] }
        }
        mesh.removeUnusedVertices()
        let result = fillHoles(mesh, options: FillHolesOptions())
        #expect(result.filledHoles == 1)
        #expect(MeshReport(result.mesh, threads: 1).isClosedOrientedManifold)
        #expect(abs(result.mesh.signedVolume - box.signedVolume) < 1e-5 * box.signedVolume)
    }

    @Test(arguments: [true, false]) func manyHolesOfAScan(fairs: Bool) {
        let mesh = FixtureMesh.named("faces-missing").mesh
        var options = FillHolesOptions()
        options.fairs = fairs
        let result = fillHoles(mesh, options: options)
        let report = MeshReport(result.mesh, threads: 1)
        #expect(report.isClosedOrientedManifold && report.hasOnlyProperTriangles)
        #expect(abs(result.mesh.signedVolume / FixtureMesh.named("faces-missing").volume! - 1) < 0.01)
    }

    @Test func largeHolesStayOpenWhenAsked() {
        let mesh = openSphere(height: 0.8)
        var options = FillHolesOptions()
        options.maximumEdges = 8
        let result = fillHoles(mesh, options: options)
        #expect(result.skippedHoles == 1 && result.filledHoles == 0 && result.mesh == mesh)
    }

    /// A loop longer than the dynamic programme takes.
    @Test func longBorders() {
        let mesh = TriangleMesh.sheet(cells: 120)
        let result = fillHoles(mesh, options: FillHolesOptions())
        #expect(MeshReport(result.mesh, threads: 1).isClosedOrientedManifold)
    }

    /// Two faces of a tetrahedron: of the two diagonals of the hole one is an edge already and must not come again.
    @Test func noEdgeIsMadeAnew() {
        let mesh = TriangleMesh(
            positions: [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1], triangles: [0, 2, 1, 0, 3, 2])
        var options = FillHolesOptions()
        options.fairs = false
        let result = fillHoles(mesh, options: options)
        #expect(result.mesh.triangleCount == 4)
        #expect(MeshReport(result.mesh, threads: 1).isClosedOrientedManifold)
    }

    @Test(arguments: FixtureMesh.all.map(\.name)) func takesAnyMesh(_ name: String) {
        let result = fillHoles(FixtureMesh.named(name).mesh, options: FillHolesOptions())
        let report = MeshReport(result.mesh, threads: 1)
        #expect(report.isManifold && report.boundaryEdges == 0)
    }

    /// T-junctions leave holes without area: filled, nothing without area stays.
    @Test func closesHolesWithoutAreaByTheirNeighbours() throws {
        // A tetrahedron one edge of which is cut on one side only.
        let mesh = TriangleMesh(
            positions: [0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 0, 0],
            triangles: [0, 2, 1, 0, 4, 3, 4, 1, 3, 0, 3, 2, 1, 2, 3])
        let result = fillHoles(mesh, options: FillHolesOptions())
        let report = MeshReport(result.mesh, threads: 1)
        #expect(result.filledHoles == 1 && result.flatTriangles == 1)
        #expect(report.isClosedOrientedManifold && report.degenerateTriangles == 0)
        #expect(abs(report.volume - 8 / 6.0) < 1e-6)
    }

    /// Separation makes several vertices at one place; where fillings join these by an edge they become one again.
    @Test(arguments: ["beetle.obj", "WusonOBJ.obj"]) func leavesNoFaceWithoutArea(_ name: String) throws {
        guard let path = SharedData.mesh(name) else { return }
        let mesh = try repair(try loadMesh(path: path, threads: 2).mesh, options: RepairOptions()).mesh
        let report = MeshReport(fillHoles(mesh, options: FillHolesOptions()).mesh, threads: 2)
        #expect(report.degenerateTriangles == 0)
        #expect(report.isManifold && report.isConsistentlyOriented && report.boundaryEdges == 0)
    }
}
