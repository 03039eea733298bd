import FixtureMeshes
import SSDFCore
import SSDFMesh
import SSDFVolume
import Testing

@Suite struct SharpEdgesTests {
    /// A cube whose faces do not share vertices, one triangle turned round.
    private static func loosePieces() -> TriangleMesh {
        let cube = TriangleMesh.box()
        var mesh = TriangleMesh()
        for triangle in 0..<cube.triangleCount {
            let (a, b, c) = cube.corners(triangle)
            let numbers = [a, b, c].map { mesh.addVertex(cube.position($0)) }
            if triangle == 3 {
                mesh.addTriangle(numbers[0], numbers[2], numbers[1])
            } else {
                mesh.addTriangle(numbers[0], numbers[1], numbers[2])
            }
        }
        return mesh
    }

    @Test func aCubeHasTwelve() {
        let edges = sharpEdges(of: Self.loosePieces(), angle: 30)
        #expect(edges.count == 12)
        let mesh = Self.loosePieces()
        for (a, b) in edges {
            #expect(abs((mesh.position(Int(a)) - mesh.position(Int(b))).length - 1) < 1e-6, "no diagonal is sharp")
        }
        #expect(sharpEdges(of: Self.loosePieces(), angle: 91).isEmpty)
    }

    @Test func smoothSurfacesAndBordersHaveNone() {
        #expect(sharpEdges(of: .icosphere(radius: 1, frequency: 12), angle: 30).isEmpty)
        #expect(sharpEdges(of: .sheet(cells: 8), angle: 60).isEmpty)
    }

    /// On a cube the nearness to its edges is known everywhere.
    @Test func nearnessFallsWithTheDistanceFromTheEdge() throws {
        let mesh = Self.loosePieces()
        var options = VoxelizeOptions()
        options.resolution = 64
        options.halfWidth = 4
        let volume = try voxelize(mesh, options: options)
        let sharp = try sharpness(of: volume, mesh: mesh, angle: 30, reach: 4, threads: 2)
        #expect(sharp.metadata.kind == .feature && sharp.metadata.name == "sharp")
        let half = VoxelizeOptions.normalizedSide / 2
        let voxel = volume.metadata.voxelSize
        var near = 0
        var worst = 0.0
        volume.forEachActiveVoxel { _, place in
            let p = volume.metadata.indexToWorld(Vector3d(Double(place.x), Double(place.y), Double(place.z)))
            // The nearest edge is along the axis on which the point is farthest inside.
            let q = [abs(p.x), abs(p.y), abs(p.z)].sorted(by: >)
            let away = Vector3d(q[0] - half, q[1] - half, max(0, q[2] - half)).length
            let expected = max(0, 1 - away / (4 * voxel))
            let found = sharp.row(of: place).map { Double(sharp.values.pointer[$0]) } ?? 0
            worst = max(worst, abs(found - expected))
            if expected > 0 { near += 1 }
        }
        #expect(worst < 1e-4, "\(worst)")
        #expect(near > 1000 && abs(near - sharp.activeCount) <= 60, "\(near) and \(sharp.activeCount)")
    }

    @Test func aMeshWithoutSharpEdgesHasAnEmptyGrid() throws {
        let mesh = TriangleMesh.icosphere(radius: 1, frequency: 12)
        var options = VoxelizeOptions()
        options.resolution = 32
        let volume = try voxelize(mesh, options: options)
        #expect(try sharpness(of: volume, mesh: mesh, angle: 30, reach: 4, threads: 1).activeCount == 0)
    }
}
