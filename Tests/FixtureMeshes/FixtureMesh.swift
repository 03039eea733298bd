import SSDFCore
import SSDFMesh

/// A procedural mesh with what is known about it. Every one is the same on every run.
package struct FixtureMesh: Sendable {
    /// Lower case, with hyphens: also the stem of its file in Fixtures/meshes.
    package var name: String
    /// What it is and why it is awkward, in one line.
    package var summary: String
    package var mesh: TriangleMesh
    /// Whether every edge has faces on both sides (an even number of them), once vertices are merged by position.
    package var isClosed = true
    /// Whether every face is turned outwards. A cavity's wall is turned into the cavity.
    package var isOriented = true
    /// Whether every edge has at most two faces and every vertex one fan, once vertices are merged by position.
    package var isManifold = true
    /// Whether faces cut through each other.
    package var isSelfIntersecting = false
    /// Volume of the solid that a person sees in it, when that is known.
    package var volume: Double?

    package init(
        _ name: String, _ summary: String, _ mesh: TriangleMesh, isClosed: Bool = true, isOriented: Bool = true,
        isManifold: Bool = true, isSelfIntersecting: Bool = false, volume: Double? = nil
    ) {
        self.name = name
        self.summary = summary
        self.mesh = mesh
        self.isClosed = isClosed
        self.isOriented = isOriented
        self.isManifold = isManifold
        self.isSelfIntersecting = isSelfIntersecting
        // Of a clean solid the divergence theorem tells the volume exactly.
        let isClean = isClosed && isOriented && isManifold && !isSelfIntersecting
        self.volume = volume ?? (isClean ? mesh.signedVolume : nil)
    }
}

extension FixtureMesh {
    /// Closed, oriented, manifold and free of self-intersections: every method must do well on these.
    package static let clean: [FixtureMesh] = [
        FixtureMesh("cube", "12 faces, sharp edges and corners", .box()),
        FixtureMesh("box-fine", "a box with 6 cells an edge: many coplanar faces", .box(divisions: 6)),
        FixtureMesh("icosphere", "an even sphere", .icosphere(radius: 0.8, frequency: 16)),
        FixtureMesh("uv-sphere", "a sphere with slivers at its poles", .uvSphere(radius: 0.8, slices: 48, stacks: 24)),
        FixtureMesh("torus", "genus 1", .torus(major: 0.6, minor: 0.25)),
        FixtureMesh("cylinder", "flat caps fanned from a centre", .cylinder(radius: 0.5, height: 1.4)),
        FixtureMesh("hollow-ball", "two nested shells, the inner one facing the cavity", .hollowBall()),
        FixtureMesh(
            "thin-wall", "a plate 0.012 thick: a few voxels at 512, less than one at 128", .plate(thickness: 0.012)),
        FixtureMesh("thinner-wall", "a plate 0.0007 thick: thinner than a voxel at 2048", .plate(thickness: 0.0007)),
        FixtureMesh("many-components", "343 separate tetrahedra, cubes and octahedra", .scatter()),
        FixtureMesh("machined-part", "sharp edges, slots, a window, a chamfer, steps", .machinedPart()),
        FixtureMesh("gear", "sharp teeth with chamfers, a bore and a keyway; genus 1", .gear()),
        FixtureMesh("knot", "a ribbed trefoil; strands pass close by each other", .ribbedKnot()),
        FixtureMesh("scan", "50,000 faces of fractal relief, as a scanner gives", .scan()),
    ]

    /// Each is broken in a way of its own.
    package static let awkward: [FixtureMesh] = [
        FixtureMesh("sheet", "an open, wavy sheet: no inside at all", .sheet(), isClosed: false),
        FixtureMesh(
            "bowl", "a closed-looking pot without a base", .bowl(), isClosed: false,
            volume: TriangleMesh.filledBowl().signedVolume),
        FixtureMesh(
            "moebius", "one-sided: no orientation is right", .moebiusStrip(), isClosed: false, isOriented: false),
        FixtureMesh(
            "hollow-ball-outward", "two nested shells, both turned outwards", .hollowBall(innerOutward: true),
            isOriented: false, volume: TriangleMesh.hollowBall().signedVolume),
        FixtureMesh(
            "overlapping-spheres", "three spheres that run through each other", .overlappingSpheres(),
            isSelfIntersecting: true),
        FixtureMesh(
            "fat-knot", "a trefoil tube so thick that it runs through itself", .fatKnot(), isSelfIntersecting: true),
        FixtureMesh(
            "flipped-third", "a torus with a third of its faces turned round",
            TriangleMesh.torus(major: 0.6, minor: 0.25).flippingFaces(share: 1 / 3.0, seed: 3), isOriented: false,
            volume: TriangleMesh.torus(major: 0.6, minor: 0.25).signedVolume),
        FixtureMesh(
            "inside-out", "a sphere with every face turned inwards",
            TriangleMesh.icosphere(radius: 0.8, frequency: 16).insideOut(), isOriented: false,
            volume: TriangleMesh.icosphere(radius: 0.8, frequency: 16).signedVolume),
        FixtureMesh(
            "faces-missing", "a sphere with 2% of its faces gone",
            TriangleMesh.icosphere(radius: 0.8, frequency: 24).removingFaces(share: 0.02, seed: 4), isClosed: false,
            volume: TriangleMesh.icosphere(radius: 0.8, frequency: 24).signedVolume),
        FixtureMesh(
            "degenerate", "a cube with zero-area faces, duplicate faces and duplicate and unused vertices",
            .degenerateCube(), isManifold: false, volume: 1),
        FixtureMesh(
            "soup", "a sphere as unconnected triangles", TriangleMesh.icosphere(radius: 0.8, frequency: 12).unwelded()),
        FixtureMesh(
            "shared-edge", "two cubes that meet in one edge: four faces there", .cubesSharingAnEdge(),
            isManifold: false,
            volume: 0.25),
        FixtureMesh(
            "shared-vertex", "two cubes that meet in one corner", .cubesSharingACorner(), isManifold: false,
            volume: 0.25),
        FixtureMesh(
            "t-junctions", "a box whose faces are cut where their neighbours are not", .tJunctions(), isClosed: false,
            volume: 1),
        FixtureMesh("tiny", "a torus 1e-6 across", TriangleMesh.torus(major: 6e-7, minor: 2.5e-7)),
        FixtureMesh(
            "huge", "a torus 1e7 across, far from the origin",
            TriangleMesh.torus(major: 6e6, minor: 2.5e6).moved(by: [3e6, -2e7, 1e7])),
    ]

    package static let all: [FixtureMesh] = clean + awkward

    /// The fixture of a name.
    /// - Precondition: there is one.
    package static func named(_ name: String) -> FixtureMesh {
        guard let fixture = all.first(where: { $0.name == name }) else { preconditionFailure("no fixture \(name)") }
        return fixture
    }
}
