import FixtureMeshes
import SSDFCore
import SSDFMesh
import Testing

/// Real meshes load with the counts that are known of them.
@Suite struct SharedMeshTests {
    /// File, vertices (nil where the source does not say) and triangles.
    static let counts: [(String, Int?, Int)] = [
        ("Spider_ascii.stl", 722, 1368),
        ("busted.stl", 1941, 3878),
        ("gears.stl", 9723, 19426),
        ("rocker-arm_bin.stl", 10044, 20088),
        ("thingi_1063852.stl", 34274, 68548),
        ("thingi_73416.stl", 38396, 76840),
        ("camelhead.off", 11381, 22704),
        ("decimated-knight.off", 502, 1000),
        ("WusonOBJ.obj", 2117, 3732),
        ("alligator.obj", 3208, 5981),
        ("armadillo.obj", 43243, 86482),
        ("beetle.obj", nil, 2053),
        ("bunny_ascii.ply", 34834, 69451),
        ("bunny_be.ply", 34834, 69451),
        ("cube_binary.ply", 8, 12),
        ("fandisk.obj", 6475, 12946),
        ("groups.obj", 1156, 2308),
        ("horse_quad.obj", 2400, 4796),
        ("horse_quad_negidx.obj", 2400, 4796),
        ("igea.ply", 134345, 268_686),
        ("mountain.obj", 25600, 50562),
        ("nefertiti.obj", 49971, 99938),
        ("ogre.obj", 62194, 124_008),
        ("rocker-arm.obj", 10044, 20088),
        ("self_intersectA.obj", 8582, 17160),
        ("stanford-bunny.obj", 35947, 69451),
        ("turbineblade.ply", 99519, 199_034),
        ("turbineblade_loop1.ply", 398_070, 796_136),
    ]

    @Test(arguments: counts.map(\.0)) func loads(_ name: String) throws {
        guard let path = SharedData.mesh(name) else { return }
        let (_, vertices, triangles) = Self.counts.first { $0.0 == name }!
        let loaded = try loadMesh(path: path, threads: 2)
        #expect(loaded.mesh.triangleCount == triangles)
        if let vertices { #expect(loaded.mesh.vertexCount == vertices) }
        #expect(loaded.mesh.triangles.allSatisfy { $0 < loaded.mesh.vertexCount })
        let alone = try loadMesh(path: path, threads: 1)
        #expect(alone.mesh == loaded.mesh)
        #expect(alone.contentHash == loaded.contentHash)
    }

    @Test func negativeIndicesReadLikePositiveOnes() throws {
        guard let plain = SharedData.mesh("horse_quad.obj"), let hard = SharedData.mesh("horse_quad_negidx.obj") else {
            return
        }
        let expected = try loadMesh(path: plain, threads: 1).mesh
        let found = try loadMesh(path: hard, threads: 1).mesh
        // The second file gives each vertex just before the first face that uses it, so that the numbering differs.
        let isEqual = Self.cornerPositions(found) == Self.cornerPositions(expected)
        #expect(found.triangleCount == expected.triangleCount && isEqual)
    }

    @Test func encodingsOfTheBunnyAgree() throws {
        guard let obj = SharedData.mesh("stanford-bunny.obj"), let ascii = SharedData.mesh("bunny_ascii.ply"),
            let big = SharedData.mesh("bunny_be.ply")
        else { return }
        // The OBJ file has vertices that no face uses; the other two were written without them.
        let expected = Self.cornerPositions(try loadMesh(path: obj, threads: 1).mesh)
        let isAsciiEqual = Self.cornerPositions(try loadMesh(path: ascii, threads: 1).mesh) == expected
        let isBigEqual = Self.cornerPositions(try loadMesh(path: big, threads: 1).mesh) == expected
        #expect(isAsciiEqual)
        #expect(isBigEqual)
        #expect(expected.count == 69_451 * 9)
    }

    /// The surface apart from how its vertices are numbered: nine numbers a triangle.
    static func cornerPositions(_ mesh: TriangleMesh) -> [Float] {
        mesh.triangles.flatMap { v in (0..<3).map { mesh.positions[3 * Int(v) + $0] } }
    }
}
