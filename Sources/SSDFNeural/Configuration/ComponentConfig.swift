import SSDFCore

/// The configuration of one part of a model.
package enum ComponentConfig: Sendable, Equatable {
    case sparseDiT(SparseDiTConfig)
    case denseDiT(DenseDiTConfig)
    case sparseVAE(SparseSDFVAEConfig)
    case denseVAE(DenseShapeVAEConfig)
    case refiner(RefinerConfig)
    case imageEncoder(DinoEncoderConfig)
    case scheduler(SchedulerConfig)

    /// The classes that a configuration may name.
    package static let classNames = [
        "DenseDiT", "DenseShapeVAE", "DinoEncoder", "FlowMatchEulerDiscreteScheduler", "SparseDiT", "SparseSDFVAE",
        "Voxel_RefinerXL", "Voxel_RefinerXL_sign",
    ]

    /// Reads the parameters of a class.
    /// - Parameters:
    ///   - target: a dotted class name; its last component decides, because forks move the classes.
    ///   - reader: the parameters; keys that are left unread have no meaning for the class.
    package init(target: String, _ reader: inout ConfigReader) throws(Failure) {
        let name = target.split(separator: ".").last.map(String.init) ?? ""
        switch name {
        case "SparseDiT": self = .sparseDiT(try SparseDiTConfig(&reader))
        case "DenseDiT": self = .denseDiT(try DenseDiTConfig(&reader))
        case "SparseSDFVAE": self = .sparseVAE(try SparseSDFVAEConfig(&reader))
        case "DenseShapeVAE": self = .denseVAE(try DenseShapeVAEConfig(&reader))
        case "Voxel_RefinerXL": self = .refiner(try RefinerConfig(&reader, kind: .values))
        case "Voxel_RefinerXL_sign": self = .refiner(try RefinerConfig(&reader, kind: .sign))
        case "DinoEncoder": self = .imageEncoder(try DinoEncoderConfig(&reader))
        case "FlowMatchEulerDiscreteScheduler": self = .scheduler(try SchedulerConfig(&reader))
        default:
            throw .badData(
                place: reader.path, "class \"\(name)\"", expected: "one of \(Self.classNames.joined(separator: ", "))")
        }
    }

    /// The name of the class.
    package var className: String {
        switch self {
        case .sparseDiT: "SparseDiT"
        case .denseDiT: "DenseDiT"
        case .sparseVAE: "SparseSDFVAE"
        case .denseVAE: "DenseShapeVAE"
        case .refiner(let config): config.kind == .values ? "Voxel_RefinerXL" : "Voxel_RefinerXL_sign"
        case .imageEncoder: "DinoEncoder"
        case .scheduler: "FlowMatchEulerDiscreteScheduler"
        }
    }

    /// The tensors of the network; empty for the scheduler, which has none.
    package var expectedTensors: [ExpectedTensor] {
        switch self {
        case .sparseDiT(let config): config.expectedTensors
        case .denseDiT(let config): config.expectedTensors
        case .sparseVAE(let config): config.expectedTensors
        case .denseVAE(let config): config.expectedTensors
        case .refiner(let config): config.expectedTensors
        case .imageEncoder(let config): config.expectedTensors
        case .scheduler: []
        }
    }

    /// The same with what only the weights can tell.
    package func adapted(toShapes shape: (String) -> [Int]?) -> Self {
        if case .refiner(let config) = self { return .refiner(config.adapted(toShapes: shape)) }
        return self
    }
}
