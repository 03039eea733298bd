import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What the values of a grid mean. Written in every file; nothing is implied.
package struct GridMetadata: Sendable, Equatable {
    /// The kinds of grid.
    package enum Kind: UInt8, Sendable, CaseIterable {
        /// Signed distance, world units, negative inside.
        case sdf = 0
        /// Unsigned distance, world units.
        case udf = 1
        /// Activity alone; values, when there are any, are probabilities or logits.
        case occupancy = 2
        /// Codes of a sparse autoencoder, one token a voxel.
        case latent = 3
        /// Any other per-voxel features.
        case feature = 4

        /// The name that files, reports and options use.
        package var name: String { "\(self)" }

        /// Whether values are lengths.
        package var isDistance: Bool { self == .sdf || self == .udf }
    }

    /// How the sign of a distance was found.
    package enum SignMethod: UInt8, Sendable, CaseIterable {
        case none = 0, winding = 1, flood = 2, parity = 3
        /// The distances came from elsewhere: a network, a formula, another program.
        case given = 4

        /// Its name in reports and files of other programs.
        package var name: String { "\(self)" }
    }

    /// Name of the grid, unique in its file.
    package var name: String
    /// What the values mean.
    package var kind: Kind
    /// Values per active voxel, ≥ 1.
    package var channels: Int
    /// Samples along one side of the cube the grid covers (voxels 0 ..< resolution); 0 when there is no such cube.
    package var resolution: Int
    /// Voxel index → world (the cube's units).
    package var indexToWorld: AffineTransform3
    /// World → the coordinates of the mesh the grid was made from.
    package var worldToSource: AffineTransform3
    /// Unit of the source's coordinates: "m", "mm", or empty when unknown.
    package var unit: String
    /// The level of the surface, in the units of the values.
    package var isoValue: Double
    /// Half width of the band in world units; values are within ±truncation. 0 when not truncated.
    package var truncation: Double
    /// The value of inactive voxels.
    package var background: Double
    /// How the sign of distances was found; `none` where they have none.
    package var signMethod: SignMethod
    /// 0 … 1: share of sign decisions that were clear-cut; 1 for methods that cannot tell.
    package var signConfidence: Double
    /// Hash of the source file, "sha256:…" or empty.
    package var sourceHash: String
    /// Program and version that made the grid.
    package var tool: String
    /// Its arguments that shaped the result, in a normal order.
    package var arguments: [String]
    /// Seed of the random choices made; 0 where there were none.
    package var seed: UInt64
    /// Hash of the model that made or reads the values, or empty.
    package var modelHash: String

    /// Metadata of the default cube [-1,1]³ at `resolution`: sample i at -1 + 2i/resolution.
    package init(name: String, kind: Kind, channels: Int = 1, resolution: Int) {
        self.name = name
        self.kind = kind
        self.channels = channels
        self.resolution = resolution
        let voxelSize = 2 / Double(max(resolution, 1))
        indexToWorld = AffineTransform3(scale: voxelSize, translation: [-1, -1, -1])
        worldToSource = .identity
        unit = ""
        isoValue = 0
        truncation = 0
        background = 0
        signMethod = .none
        signConfidence = 1
        sourceHash = ""
        tool = ""
        arguments = []
        seed = 0
        modelHash = ""
    }

    /// Whether the grid was generated, and so is of a solid whose surface has no border: that is so of what
    /// `ssdf-diffuse` made.
    package var isGenerated: Bool { tool.hasPrefix("ssdf-diffuse ") }

    /// Length of a voxel's side in world units: cube root of the cell's volume.
    package var voxelSize: Double {
        let d = abs(indexToWorld.determinant)
        let x = indexToWorld.x
        // Exact for the uniform, unrotated grids that nearly all are.
        if x.y == 0, x.z == 0, indexToWorld.y.y == x.x, indexToWorld.z.z == x.x { return abs(x.x) }
        return cbrt(d)
    }
}
