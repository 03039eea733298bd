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

    /// One edge of a tetrahedron cut at many places on one side only: a fan of triangles in a line fills the gap, each of
    /// which has the next for a neighbour.
    @Test(arguments: [2, 3, 8, 40]) func resolvesChainsOfCollinearTriangles(_ cuts: Int) throws {
        var mesh = TriangleMesh(
            positions: [0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2], triangles: [0, 2, 1, 0, 3, 2, 1, 2, 3])
        var last: UInt32 = 0
        for i in 1...cuts {
            let x = 2 * Float(i) / Float(cuts + 1)
            mesh.positions += [x, 0, 0]
            let new = UInt32(3 + i)
            mesh.triangles += [last, new, 3]
            // The sliver between the uncut edge's end and two cuts.
            if i > 1 { mesh.triangles += [0, new, last] }
            last = new
        }
        mesh.triangles += [last, 1, 3, 0, 1, last]
        #expect(MeshReport(mesh, threads: 1).isClosedOrientedManifold)
        let result = try repair(mesh, options: RepairOptions())
        let report = MeshReport(result.mesh, threads: 1)
        #expect(report.isClosedOrientedManifold && report.degenerateTriangles == 0)
        #expect(abs(report.volume - 8 / 6.0) < 1e-5)
    }

    /// A needle: two of its corners so near that they are one but for rounding. Its neighbours close over it.
    @Test(arguments: [Float(0), 1e-9, 1e-7]) func resolvesNeedles(_ width: Float) throws {
        // A box's top is fanned from two middles a needle apart.
        let mesh = TriangleMesh(
            positions: [0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 1, 0, 0.5, 0.5, 1, 0.5 + width, 0.5, 1],
            triangles: [0, 2, 1, 0, 3, 2, 0, 1, 4, 1, 5, 4, 1, 2, 5, 2, 4, 5, 2, 3, 4, 3, 0, 4])
        #expect(MeshReport(mesh, threads: 1).boundaryEdges == 0)
        let report = MeshReport(try repair(mesh, options: RepairOptions()).mesh, threads: 1)
        #expect(report.isClosedOrientedManifold && report.degenerateTriangles == 0)
        #expect(abs(report.volume - 1 / 3.0) < 1e-6)
    }

    /// Real meshes, where they are there: nothing without area is left, and borders are no longer than they were.
    @Test(arguments: ["Spider_ascii.stl", "ogre.obj", "thingi_73416.stl", "gears.stl", "2CylinderEngine.glb"])
    func leavesNoFlatFaceInRealMeshes(_ name: String) throws {
        guard let path = SharedData.mesh(name) else { return }
        let mesh = try loadMesh(path: path, threads: 2).mesh
        let before = MeshReport(mesh, threads: 2)
        let report = MeshReport(try repair(mesh, options: RepairOptions()).mesh, threads: 2)
        #expect(report.isManifold && report.isConsistentlyOriented && report.hasOnlyProperTriangles)
        #expect(report.boundaryEdges <= before.boundaryEdges && report.boundaryLoops <= before.boundaryLoops)
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
