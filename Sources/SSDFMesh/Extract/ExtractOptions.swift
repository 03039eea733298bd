import SSDFCore

/// The ways to turn a volume into a surface.
package enum ExtractMethod: String, Sendable, CaseIterable {
    /// Marching cubes with the topology of the trilinear interpolant: vertices on the grid's edges.
    case mc
    /// Dual marching cubes: vertices in the cells, one for each piece of the surface, and better shaped triangles.
    case dmc
    /// Dual contouring: as dual marching cubes, with vertices on the sharp edges and corners that the distances tell of.
    case dc
}

/// The coordinates of an extracted mesh.
package enum ExtractCoordinates: String, Sendable, CaseIterable {
    /// Place and units of the mesh that the volume was made from.
    case original
    /// The volume's world: the cube [-1,1]³ by default.
    case cube
    /// Voxel indices.
    case index
}

/// What `extractSurface` is asked for.
package struct ExtractOptions: Sendable {
    /// How the surface is made.
    package var method: ExtractMethod = .mc
    /// Level of the surface in the units of the values; nil means the one the volume states.
    package var iso: Double?
    /// The space that vertices are given in.
    package var coordinates: ExtractCoordinates = .original
    /// Whether the mesh gets a unit normal a vertex, from the volume's gradient.
    package var normals = false
    /// Upper bound on the threads used; the mesh does not depend on it.
    package var threads: Int = availableProcessors()
    /// Told after every pass how many are done.
    package var progress: ProgressHandler?

    /// The defaults.
    package init() {}

    /// The defaults but for what is given; nil threads are as many as there are processors.
    package init(method: ExtractMethod, coordinates: ExtractCoordinates = .original, threads: Int? = nil) {
        self.method = method
        self.coordinates = coordinates
        if let threads { self.threads = threads }
    }
}
