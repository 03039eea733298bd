import SSDFCore
import SSDFMesh

/// What is made of every mesh of a folder of training data. One folder has one such setting.
package struct PreparationSettings: Sendable, Equatable {
    /// Voxels along the cube's side, a volume for each; multiples of 8, ascending.
    package var resolutions = [128]
    /// The meshes' axis that points up.
    package var up = UpAxis.y
    /// How inside is told from outside.
    package var sign = SignChoice.auto
    /// From how many degrees on an edge is sharp.
    package var creaseAngle = 30.0
    /// Pictures of each mesh.
    package var views = 4
    /// Pixels along a picture's side.
    package var viewSize = 256
    /// Cameras stand up to this many degrees to either side of the front, which is +z.
    package var azimuth = 60.0
    /// Of the choice of cameras and colours.
    package var seed: UInt64 = 0

    /// The defaults.
    package init() {}

    /// Half width of the bands in voxels; what a voxel's nearness to sharp edges reaches, too.
    package static var halfWidth: Double { Double(BandSamples.halfWidth) }
    /// The resolutions that may be asked for.
    package static let resolutionRange = 32...2048
    /// The numbers of pictures that may be asked for.
    package static let viewRange = 0...64
    /// The sides of pictures that may be asked for, in pixels.
    package static let viewSizes = 32...2048

    /// What a folder says of itself. Settings are equal when their texts are.
    package var json: JSONValue {
        .object([
            .init("format", "ssdf-data-1"), .init("resolutions", .array(resolutions.map { .integer($0) })),
            .init("half_width", .number(Self.halfWidth)), .init("up", .string(up.rawValue)),
            .init("sign", .string(sign.rawValue)), .init("crease_angle", .number(creaseAngle)),
            .init("views", .integer(views)), .init("view_size", .integer(viewSize)),
            .init("azimuth", .number(azimuth)), .init("seed", .string("\(seed)")),
        ])
    }
}

/// A camera and a colour for a picture of a mesh.
package struct PictureView: Sendable, Equatable {
    /// Degrees round the vertical, 0 in front.
    package var azimuth: Double
    /// Degrees above the horizon.
    package var elevation: Double
    /// Colour of the surface, linear.
    package var albedo: Vector3f

    /// Views of a mesh, drawn from a seed and the hash of its file: azimuths evenly within ±`azimuth`, elevations evenly
    /// within 10°…30°, colours that are neither black nor white.
    static func drawn(_ settings: PreparationSettings, contentHash: String) -> [PictureView] {
        let digits = contentHash.dropFirst("sha256:".count).prefix(16)
        var generator = Philox(seed: settings.seed, stream: UInt64(digits, radix: 16) ?? 0)
        return (0..<settings.views).map { _ in
            let azimuth = (2 * generator.uniform() - 1) * settings.azimuth
            let elevation = 10 + 20 * generator.uniform()
            let colors = (0..<3).map { _ in Float(0.25 + 0.6 * generator.uniform()) }
            return PictureView(
                azimuth: azimuth, elevation: elevation, albedo: Vector3f(colors[0], colors[1], colors[2]))
        }
    }
}
