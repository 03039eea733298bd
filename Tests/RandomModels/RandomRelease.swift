import SSDFCore
import SSDFNeural
import SSDFTensor

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A folder of checkpoints as Direct3D-S2 publishes them, and the image encoder's as DINOv2 does: random weights of networks
/// small enough for tests, with the dense and the 512 stage, and a refiner.
package enum RandomRelease {
    /// Writes the folder, and the image encoder's weights beside it.
    package static func write(to folder: String, imageEncoder: String) throws(Failure) {
        mkdir(folder, 0o777)
        let yaml = configuration
        let config = try ModelConfig(yaml: yaml)
        try put(Array(yaml.utf8), "\(folder)/\(ReleasedModel.configurationName)")
        for file in ReleasedModel.files {
            var checkpoint = CheckpointBuilder()
            for (key, component) in file.components {
                guard let known = config[component] else { continue }
                var tensors = known.expectedTensors
                if case .refiner(var refiner) = known {
                    refiner.blockChannels = [8, 8, 8, 8]
                    tensors = refiner.expectedTensors
                }
                try checkpoint.add(random: tensors, under: key)
            }
            if !checkpoint.tensors.isEmpty { try put(checkpoint.archive(), "\(folder)/\(file.name)") }
        }
        var encoder = CheckpointBuilder()
        try encoder.add(random: config["dense_image_encoder"]?.expectedTensors ?? [], under: "")
        try put(encoder.flatArchive(), imageEncoder)
    }

    /// The three stages of tests but for the last, and a refiner.
    private static var configuration: String {
        var kept: [Substring] = []
        var isKept = true
        for line in RandomModel.tinyPipeline().split(separator: "\n", omittingEmptySubsequences: false) {
            if let first = line.first, first != " " { isKept = !line.contains("1024") }
            if isKept { kept.append(line) }
        }
        return kept.joined(separator: "\n") + "\n" + """
            refiner:
              target: models.Voxel_RefinerXL
              params: {layers_per_block: 1, layers_mid_block: 0, patch_size: 64, res: 128}

            """
    }

    private static func put(_ bytes: [UInt8], _ path: String) throws(Failure) {
        guard let file = fopen(path, "w") else { throw Failure(.cannotCreate, file: path, "cannot create") }
        fwrite(bytes, 1, bytes.count, file)
        fclose(file)
    }
}

extension CheckpointBuilder {
    /// Adds every tensor of a list under a key, with weights as `RandomModel` has them.
    fileprivate mutating func add(random list: [ExpectedTensor], under key: String) throws(Failure) {
        let source = ParameterSource.random(seed: 1)
        for tensor in list {
            let values = try source.parameter(tensor.name, tensor.shape).value
            let numbers = UnsafeBufferPointer(start: values.pointer, count: values.count)
            let bytes = UnsafeRawBufferPointer(numbers).map { $0 }
            withExtendedLifetime(values) {}
            add([key] + tensor.name.split(separator: ".").map(String.init), .f32, tensor.shape, bytes)
        }
    }
}
