/// The instructions of pickle protocols 2 to 5 that building plain data and tensors needs.
///
/// Source: the Python standard library's description of its pickle opcodes.
enum PickleOpcode: UInt8 {
    case mark = 0x28
    case stop = 0x2e
    case pop = 0x30
    case popMark = 0x31
    case dup = 0x32
    case none = 0x4e
    case binFloat = 0x47
    case binInt = 0x4a
    case binInt1 = 0x4b
    case binInt2 = 0x4d
    case long1 = 0x8a
    case long4 = 0x8b
    case newTrue = 0x88
    case newFalse = 0x89
    case binUnicode = 0x58
    case shortBinUnicode = 0x8c
    case binUnicode8 = 0x8d
    case shortBinString = 0x55
    case binString = 0x54
    case emptyList = 0x5d
    case append = 0x61
    case appends = 0x65
    case list = 0x6c
    case emptyTuple = 0x29
    case tuple = 0x74
    case tuple1 = 0x85
    case tuple2 = 0x86
    case tuple3 = 0x87
    case emptyDict = 0x7d
    case dict = 0x64
    case setItem = 0x73
    case setItems = 0x75
    case binPut = 0x71
    case longBinPut = 0x72
    case memoize = 0x94
    case binGet = 0x68
    case longBinGet = 0x6a
    case global = 0x63
    case stackGlobal = 0x93
    case reduce = 0x52
    case build = 0x62
    case binPersID = 0x51
    case proto = 0x80
    case frame = 0x95

    /// The name of an instruction that is refused, for the message.
    static func refusedName(_ code: UInt8) -> String {
        refused[code] ?? "instruction \(code)"
    }

    private static let refused: [UInt8: String] = [
        0x49: "INT", 0x4c: "LONG", 0x46: "FLOAT", 0x53: "STRING", 0x56: "UNICODE", 0x70: "PUT", 0x67: "GET",
        0x50: "PERSID", 0x69: "INST", 0x6f: "OBJ", 0x81: "NEWOBJ", 0x92: "NEWOBJ_EX", 0x82: "EXT1", 0x83: "EXT2",
        0x84: "EXT4", 0x42: "BINBYTES", 0x43: "SHORT_BINBYTES", 0x8e: "BINBYTES8", 0x96: "BYTEARRAY8",
        0x97: "NEXT_BUFFER", 0x98: "READONLY_BUFFER", 0x8f: "EMPTY_SET", 0x90: "ADDITEMS", 0x91: "FROZENSET",
    ]
}
