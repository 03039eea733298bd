import SSDFCore

/// What can be said about a triangle mesh by looking at it: its topology, its measures and its faults.
///
/// Faults are counted, never repaired, and any mesh whatever may be examined: triangles that name a vertex twice take
/// no part in the topology, triangles that name a missing vertex or have a coordinate that is not finite take no part
/// in anything but their own count.
package struct MeshReport: Sendable, Equatable {
    /// Vertices, used or not.
    package var vertexCount = 0
    /// Triangles, good and bad.
    package var triangleCount = 0
    /// Edges between different vertices, however many triangles meet there.
    package var edgeCount = 0
    /// Vertices that no triangle uses.
    package var unusedVertices = 0
    /// Pieces that share no vertex.
    package var components = 0
    /// Edges with one triangle.
    package var boundaryEdges = 0
    /// Closed walks along boundary edges. Where edges are not manifold a walk may end there and counts all the same.
    package var boundaryLoops = 0
    /// Edges with more than two triangles.
    package var nonManifoldEdges = 0
    /// Vertices whose triangles form more than one fan.
    package var nonManifoldVertices = 0
    /// Edges with two triangles that run along it in the same direction.
    package var inconsistentEdges = 0
    /// Triangles with the same three vertices as an earlier one, whichever way round.
    package var duplicateTriangles = 0
    /// Triangles that name a vertex twice or whose area is zero.
    package var degenerateTriangles = 0
    /// Triangles that name a missing vertex or have a corner that is not finite.
    package var invalidTriangles = 0
    /// Vertices − edges + triangles, unused vertices and triangles without part in the topology left out.
    package var eulerCharacteristic = 0
    /// Sum over the components of their handles; nil unless the mesh is manifold and consistently oriented.
    package var genus: Int?
    /// Area, in the square of the mesh's unit.
    package var area = 0.0
    /// Volume enclosed, positive when triangles face outwards, in the cube of the mesh's unit. For a mesh with a
    /// boundary: closed by a cone from each boundary to the centre of the box.
    package var volume = 0.0
    /// Box of the vertices that triangles use; empty when there are none.
    package var boundingBox = Box3f.empty
    /// Smallest angle of any triangle with an area, degrees; 60 when there is none.
    package var minimumAngle = 60.0

    /// No boundary, and something there.
    package var isClosed: Bool { boundaryEdges == 0 && triangleCount > 0 }
    /// At most two triangles an edge and one fan a vertex.
    package var isManifold: Bool { nonManifoldEdges == 0 && nonManifoldVertices == 0 }
    /// Neighbouring triangles run along their common edge in opposite directions.
    package var isConsistentlyOriented: Bool { inconsistentEdges == 0 }
    /// The surface of a solid.
    package var isClosedOrientedManifold: Bool {
        isClosed && isManifold && isConsistentlyOriented && invalidTriangles == 0
    }
    /// No triangle that is degenerate, given twice or invalid.
    package var hasOnlyProperTriangles: Bool {
        duplicateTriangles == 0 && degenerateTriangles == 0 && invalidTriangles == 0
    }

    /// Examines a mesh.
    /// - Precondition: fewer than 2³² triangle corners.
    /// - Complexity: O(n log n) at worst, linear for meshes without vertices of enormous valence. About 30 bytes a
    ///   triangle corner.
    package init(_ mesh: TriangleMesh, threads: Int) {
        precondition(mesh.triangles.count < Int(UInt32.max), "a mesh of 2³² triangle corners or more")
        vertexCount = mesh.vertexCount
        triangleCount = mesh.triangleCount
        let measures = TriangleMeasures(mesh, threads: max(threads, 1))
        area = measures.area
        volume = measures.volume
        boundingBox = measures.box
        minimumAngle = measures.minimumAngle
        degenerateTriangles = measures.degenerate
        invalidTriangles = measures.invalid

        let edges = EdgeCensus(mesh, measures.standings, threads: max(threads, 1))
        edgeCount = edges.edges
        boundaryEdges = edges.boundary
        nonManifoldEdges = edges.nonManifold
        inconsistentEdges = edges.inconsistent
        duplicateTriangles = edges.duplicateTriangles

        let fans = FanCensus(mesh, measures.standings, edges)
        nonManifoldVertices = fans.nonManifoldVertices
        boundaryLoops = fans.boundaryLoops
        components = fans.components
        unusedVertices = vertexCount - fans.usedVertices - measures.verticesOfDegenerateOnly(mesh)

        eulerCharacteristic = fans.usedVertices - edgeCount + measures.standings.unsafeElements.count { $0 != .outside }
        if isManifold && isConsistentlyOriented {
            genus = (2 * components - boundaryLoops - eulerCharacteristic) / 2
        }
    }
}
