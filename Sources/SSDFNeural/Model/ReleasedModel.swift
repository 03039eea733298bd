import SSDFCore

/// How the published weights of Direct3D-S2 are laid out (SPEC §15), who publishes them and under which licence.
package enum ReleasedModel {
    /// A file of the release, and the components in it with their keys.
    package struct File: Sendable {
        /// Its name in the release.
        package var name: String
        /// Keys of its state dictionary, and the components below them.
        package var components: [(key: String, component: String)]
    }

    /// All files with weights, but for the image encoder's.
    package static let files = [
        File(name: "model_dense.ckpt", components: [("vae", "dense_vae"), ("dit", "dense_dit")]),
        File(name: "model_sparse_512.ckpt", components: [("vae", "sparse_vae_512"), ("dit", "sparse_dit_512")]),
        File(name: "model_sparse_1024.ckpt", components: [("vae", "sparse_vae_1024"), ("dit", "sparse_dit_1024")]),
        File(name: "model_refiner.ckpt", components: [("refiner", "refiner")]),
        File(name: "model_refiner_1024.ckpt", components: [("refiner", "refiner_1024")]),
    ]

    /// The configuration's file, in a release and in a model folder.
    package static let configurationName = "config.yaml"

    /// The licence that Direct3D-S2 is published under.
    package static let license = "MIT"
    /// The licence that DINOv2, the image encoder, is published under.
    package static let imageEncoderLicense = "Apache-2.0"

    /// Where the weights of a component are in the release, or nil when it has none there.
    package static func place(of component: String) -> (file: String, key: String)? {
        for file in files {
            if let found = file.components.first(where: { $0.component == component }) { return (file.name, found.key) }
        }
        return nil
    }

    /// The licence of a component's published weights.
    package static func license(of config: ComponentConfig) -> String {
        if case .imageEncoder = config { return imageEncoderLicense }
        return license
    }

    /// Parameters of the released networks, by component.
    private static var parameters: [(component: String, count: Int)] {
        var dense = DenseDiTConfig()
        dense.patchSize = 1
        dense.qkRMSNorm = true
        var denseVAE = DenseShapeVAEConfig()
        denseVAE.decoderChannels = [512, 128, 64]
        denseVAE.decoderResBlocks = 4
        denseVAE.decoderMiddleBlocks = 4
        let sparse = SparseDiTConfig()
        let networks: [(String, [ExpectedTensor])] = [
            ("dense_vae", denseVAE.expectedTensors), ("dense_dit", dense.expectedTensors),
            ("sparse_vae_512", SparseSDFVAEConfig().expectedTensors), ("sparse_dit_512", sparse.expectedTensors),
            ("sparse_vae_1024", SparseSDFVAEConfig().expectedTensors), ("sparse_dit_1024", sparse.expectedTensors),
            ("refiner", RefinerConfig(kind: .values).expectedTensors),
            ("refiner_1024", RefinerConfig(kind: .sign).expectedTensors),
            ("image_encoder", DinoEncoderConfig().expectedTensors),
        ]
        return networks.map { ($0.0, $0.1.reduce(0) { $0 + $1.shape.reduce(1, *) }) }
    }

    /// What a person who has no model needs to know: which files, from where, how large, under which licence. Nothing
    /// here fetches them.
    package static var instructions: String {
        let counts = Dictionary(uniqueKeysWithValues: parameters.map { ($0.component, $0.count) })
        let parts = files.map { file in
            let count = file.components.reduce(0) { $0 + (counts[$1.component] ?? 0) }
            return "\(file.name) (\(gigabytes(2 * count)) in half precision, \(gigabytes(4 * count)) in single)"
        }
        return "take config.yaml, \(parts.joined(separator: ", ")) from the project page of Direct3D-S2 (licence "
            + "\(license)) and the weights dinov2_vitl14_reg (\(gigabytes(4 * (counts["image_encoder"] ?? 0)))) from that "
            + "of DINOv2 (licence \(imageEncoderLicense)), then run ssdf-model import; nothing is fetched for you"
    }

    private static func gigabytes(_ bytes: Int) -> String {
        let tenths = (bytes + 50_000_000) / 100_000_000
        return "\(tenths / 10).\(tenths % 10) GB"
    }
}
