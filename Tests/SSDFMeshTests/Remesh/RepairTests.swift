import FixtureMeshes
import SSDFCore
import SSDFMesh
import Testing

@Suite struct RepairTests {
    private func repaired(_ name: String) throws -> RepairResult {
        try repair(FixtureMesh.named(name).mesh, options: RepairOptions())
    }

    @Test(arguments: FixtureMesh.all.map(\.name)) func leavesAnOrientedManifold(_ name: String) throws {
        let report = MeshReport(try repaired(name).mesh, threads: 2)
        #expect(report.isManifold && report.isConsistentlyOriented && report.hasOnlyProperTriangles)
        #expect(report.unusedVertices == 0)
    }

    @Test(arguments: FixtureMesh.clean.map(\.name)) func changesNothingThatIsGood(_ name: String) throws {
        let fixture = FixtureMesh.named(name)
        let result = try repaired(name)
        #expect(result.mesh.triangles == fixture.mesh.triangles)
        #expect(result.summary.isEmpty)
    }

    /// What a person sees in these is closed, and stays so.
    @Test(arguments: ["degenerate", "soup", "shared-edge", "shared-vertex", "flipped-third", "inside-out"])
    func closesOnWhatIsThere(_ name: String) throws {
        let fixture = FixtureMesh.named(name)
        let result = try repaired(name)
        let report = MeshReport(result.mesh, threads: 2)
        #expect(report.isClosedOrientedManifold)
        if let volume = fixture.volume { #expect(abs(report.volume / volume - 1) < 1e-5) }
    }

    @Test func cubesAtAnEdgeComeApart() throws {
        let result = try repaired("shared-edge")
        #expect(result.separatedEdges == 1)
        #expect(MeshReport(result.mesh, threads: 1).components == 2)
    }

    /// A one-sided strip has no outside: it is cut once across.
    @Test func cutsWhatHasOneSide() throws {
        let before = MeshReport(FixtureMesh.named("moebius").mesh, threads: 1)
        let report = MeshReport(try repaired("moebius").mesh, threads: 1)
        #expect(before.boundaryLoops == 1)
        #expect(report.isManifold && report.isConsistentlyOriented && report.components == 1)
        #expect(report.eulerCharacteristic == before.eulerCharacteristic + 1)
    }

    @Test func weldsWithinADistance() throws {
        var mesh = TriangleMesh.box()
        mesh.append(TriangleMesh.box())
        for i in mesh.positions.indices.dropFirst(mesh.positions.count / 2) { mesh.positions[i] += 1e-4 }
        var options = RepairOptions()
        #expect(try repair(mesh, options: options).mesh.vertexCount == 16)
        options.weldDistance = 1e-3
        let result = try repair(mesh, options: options)
        #expect(result.mesh.vertexCount == 8 && result.mesh.triangleCount == 12)
        #expect(result.weldedVertices == 8 && result.duplicateTriangles == 12)
    }

    /// A triangle whose three corners lie in a line stands between two faces: both borders stay closed.
    @Test func resolvesCapsWithoutOpeningBorders() throws {
        // A tetrahedron with one edge cut on one side only; the sliver (0, 4, 1) joins the halves.
        let mesh = TriangleMesh(
            positions: [0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 0, 0],
            triangles: [0, 2, 1, 0, 4, 3, 4, 1, 3, 0, 3, 2, 1, 2, 3, 0, 1, 4])
        #expect(MeshReport(mesh, threads: 1).isClosedOrientedManifold)
        let result = try repair(mesh, options: RepairOptions())
        #expect(result.degenerateTriangles == 1)
        let report = MeshReport(result.mesh, threads: 1)
        #expect(report.isClosedOrientedManifold && report.degenerateTriangles == 0)
        #expect(abs(report.volume - 8 / 6.0) < 1e-6)
    }

    @Test func openSurfacesFaceTheOutside() throws {
        let bowl = FixtureMesh.named("bowl").mesh
        let turned = bowl.insideOut()
        #expect(try repair(turned, options: RepairOptions()).turnedTriangles == bowl.triangleCount)
        #expect(try repair(bowl, options: RepairOptions()).turnedTriangles == 0)
    }

    @Test func refusesANegativeDistance() {
        var options = RepairOptions()
        options.weldDistance = -1
        #expect(throws: Failure.self) { try repair(.tetrahedron(), options: options) }
    }
}
