/// A tool as the umbrella lists it.
struct Subcommand: Sendable {
    let name: String
    /// As the tool's own help begins.
    let abstract: String

    var program: String { "ssdf-\(name)" }

    /// In the order of the work.
    static let all = [
        Self(name: "voxelize", abstract: "Turn a mesh into a sparse signed distance volume."),
        Self(name: "extract", abstract: "Extract the surface of a sparse signed distance volume as a mesh."),
        Self(name: "remesh", abstract: "Repair, simplify and remesh a triangle mesh."),
        Self(name: "inspect", abstract: "Tell what is in volumes and meshes, check them, picture them."),
        Self(name: "convert", abstract: "Convert volumes between .ssdf, NumPy, NRRD and OpenVDB."),
        Self(name: "encode", abstract: "Encode a sparse signed distance volume as latents."),
        Self(name: "decode", abstract: "Decode latents to a sparse signed distance volume."),
        Self(name: "diffuse", abstract: "Generate latents of a shape from a picture of it."),
        Self(name: "generate", abstract: "Generate a mesh from a picture."),
        Self(name: "model", abstract: "Import released weights into a model folder, and tell what is in one."),
        Self(name: "train", abstract: "Train models, and measure them."),
    ]
}
