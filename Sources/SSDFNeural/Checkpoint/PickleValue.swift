import SSDFTensor

/// What a pickle can hold here. Containers are indices into the interpreter's tables: a pickle may build a container
/// that holds itself, and an index can say so without owning itself.
enum PickleValue {
    case none
    case bool(Bool)
    case int(Int)
    case float(Double)
    case string(String)
    case tuple(Int)
    case list(Int)
    case dict(Int)
    case global(PickleGlobal)
    case storage(Int)
    case tensor(Int)

    /// What it is, for messages.
    var kind: String {
        switch self {
        case .none: "None"
        case .bool: "a bool"
        case .int: "an int"
        case .float: "a float"
        case .string: "a str"
        case .tuple: "a tuple"
        case .list: "a list"
        case .dict: "a dict"
        case .global(let global): "the name \(global)"
        case .storage: "a storage"
        case .tensor: "a tensor"
        }
    }
}

/// The names a checkpoint may refer to. All others are refused: looking a name up is how a pickle runs code.
enum PickleGlobal: CustomStringConvertible {
    case orderedDict
    case size
    case rebuildTensor
    case rebuildTensorV2
    case rebuildTensorV3
    case rebuildParameter
    /// A storage class with the type of its elements; nil counts bytes.
    case storage(ElementType?)
    case elementType(ElementType)

    init?(module: String, name: String) {
        switch (module, name) {
        case ("collections", "OrderedDict"): self = .orderedDict
        case ("torch", "Size"): self = .size
        case ("torch._utils", "_rebuild_tensor"): self = .rebuildTensor
        case ("torch._utils", "_rebuild_tensor_v2"): self = .rebuildTensorV2
        case ("torch._utils", "_rebuild_tensor_v3"): self = .rebuildTensorV3
        case ("torch._utils", "_rebuild_parameter"): self = .rebuildParameter
        case ("torch.storage", "UntypedStorage"), ("torch", "UntypedStorage"): self = .storage(nil)
        case ("torch", _):
            if let type = Self.storages[name] {
                self = .storage(type)
            } else if let type = Self.types[name] {
                self = .elementType(type)
            } else {
                return nil
            }
        default: return nil
        }
    }

    var description: String {
        switch self {
        case .orderedDict: "collections.OrderedDict"
        case .size: "torch.Size"
        case .rebuildTensor: "torch._utils._rebuild_tensor"
        case .rebuildTensorV2: "torch._utils._rebuild_tensor_v2"
        case .rebuildTensorV3: "torch._utils._rebuild_tensor_v3"
        case .rebuildParameter: "torch._utils._rebuild_parameter"
        case .storage(let type): "torch storage of \(type?.rawValue ?? "bytes")"
        case .elementType(let type): "torch dtype \(type.rawValue)"
        }
    }

    private static let storages: [String: ElementType] = [
        "DoubleStorage": .f64, "FloatStorage": .f32, "HalfStorage": .f16, "BFloat16Storage": .bf16,
        "LongStorage": .i64, "IntStorage": .i32, "ShortStorage": .i16, "CharStorage": .i8, "ByteStorage": .u8,
        "BoolStorage": .bool, "ComplexFloatStorage": .c64,
    ]

    private static let types: [String: ElementType] = [
        "float64": .f64, "float32": .f32, "float16": .f16, "bfloat16": .bf16, "int64": .i64, "int32": .i32,
        "int16": .i16, "int8": .i8, "uint64": .u64, "uint32": .u32, "uint16": .u16, "uint8": .u8, "bool": .bool,
        "float8_e4m3fn": .f8e4m3, "float8_e5m2": .f8e5m2, "complex64": .c64,
    ]
}

/// The bytes a pickle refers to by name: a member of the archive.
struct PickleStorage {
    /// The member's name under `data/`.
    var key: String
    /// Type of the elements; nil when they are bytes.
    var type: ElementType?
    /// Number of elements.
    var count: Int
}

/// A view of a storage: element `[i, j, …]` is at `offset + i·strides[0] + j·strides[1] + …`, in elements.
struct PickleTensor {
    var storage: Int
    var type: ElementType
    var offset: Int
    var shape: [Int]
    var strides: [Int]
}
