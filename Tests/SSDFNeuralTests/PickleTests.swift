import RandomModels
import SSDFCore
import SSDFNeural
import Testing

/// Why a pickle is refused; nil when it is accepted.
private func refusal(_ program: [UInt8]) -> String? {
    var zip = ZipBuilder()
    zip.add("m/data.pkl", program)
    zip.add("m/data/0", [UInt8](repeating: 0, count: 16))
    do {
        _ = try zip.finish().withUnsafeBytes { try CheckpointFile(FileBytes(copying: $0, name: "x")) }
        return nil
    } catch {
        return "\(error)"
    }
}

private func program(_ text: String, protocol version: UInt8 = 2) -> [UInt8] { [0x80, version] + Array(text.utf8) }

@Suite struct PickleTests {
    @Test func acceptsTheSmallest() {
        #expect(refusal(program("}.")) == nil)
        #expect(refusal(program("(d.")) == nil)
        #expect(refusal(program("ccollections\nOrderedDict\n)R.")) == nil)
        #expect(refusal(program("ccollections\nOrderedDict\n]\u{28}U\u{1}aK\u{1}\u{5d}te\u{5d}0.")) != nil)
    }

    @Test func refusesEveryInstructionThatCouldRunCode() {
        let known: Set<UInt8> = Set(
            Array("(.012NGJKMXUT]ael)t}dsuqrhjcRbQ".utf8)
                + [0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8c, 0x8d, 0x93, 0x94, 0x95, 0x80])
        for code in UInt8.min...UInt8.max where !known.contains(code) {
            let found = refusal([0x80, 2, 0x7d, code, 0x2e])
            #expect(found?.contains("the instruction") == true, "\(code): \(found ?? "accepted")")
        }
        #expect(refusal([0x80, 2, 0x7d, 0x81, 0x2e])?.contains("NEWOBJ") == true)
        #expect(refusal([0x80, 2, 0x7d, 0x69, 0x2e])?.contains("INST") == true)
        #expect(refusal([0x80, 2, 0x7d, 0x82, 0x2e])?.contains("EXT1") == true)
    }

    @Test func refusesEveryOtherName() {
        for name in [
            "os\nsystem", "builtins\neval", "builtins\ngetattr", "subprocess\nPopen", "torch\nload", "torch.hub\nload",
            "torch._utils\n_rebuild_sparse_tensor", "torch\nQInt8Storage", "numpy.core.multiarray\n_reconstruct",
            "torch._tensor\n_rebuild_from_type_v2", "torch\nComplexDoubleStorage", "\n", "collections\nOrderedDict ",
        ] {
            let dotted = name.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: ".")
            #expect(refusal(program("}c\(name)\n."))?.contains("the name \(dotted), expected") == true, "\(dotted)")
        }
    }

    @Test func refusesMisuse() {
        let cases: [(String, String)] = [
            (".", "0 values at the end"),
            ("}}.", "2 values at the end"),
            ("(}.", "a mark at the end"),
            ("0.", "an empty stack"),
            ("s.", "too few values"),
            ("t.", "no mark"),
            ("}u.", "no mark"),
            ("}(Nu.", "a key without a value"),
            ("]NNs.", "setting items of a list"),
            ("}Na.", "appending to a dict"),
            ("h\u{1}.", "memo 1, which holds nothing"),
            ("N)R.", "a call of None"),
            ("}NR.", "a call with None"),
            ("}NQ.", "a reference of another form"),
            ("N}b.", "state of None"),
            ("ctorch\nFloatStorage\n)R.", "a call of torch storage of F32"),
            ("ctorch\nfloat32\n)R.", "a call of torch dtype F32"),
            ("ctorch\nSize\n(K\u{1}tR.", "torch.Size of something else"),
            ("ctorch._utils\n_rebuild_tensor_v2\n)R.", "with other arguments"),
            ("ctorch._utils\n_rebuild_parameter\n(NNNtR.", "a parameter of something else"),
            ("ccollections\nOrderedDict\n(NtR.", "an OrderedDict of something else"),
            ("X\u{7f}\u{0}\u{0}\u{0}a.", "a text of 127 bytes"),
            ("].", "a list at the top"),
            ("N.", "None at the top"),
            ("}U\u{1}aNsU\u{1}aNs.", "two entries \"a\""),
        ]
        for (text, message) in cases {
            let found = refusal(program(text))
            #expect(found?.contains(message) == true, "\(text): \(found ?? "accepted")")
        }
        #expect(refusal([0x80, 6, 0x7d, 0x2e])?.contains("pickle protocol 6") == true)
        #expect(refusal(Array("(dp0\n.".utf8))?.contains("a binary pickle") == true)
        #expect(
            refusal([0x80, 2, 0x8a, 9] + [UInt8](repeating: 0, count: 9) + [0x2e])?.contains("an int of 9 bytes")
                == true)
        #expect(refusal([0x80, 2, 0x58, 2, 0, 0, 0, 0xff, 0xfe, 0x2e])?.contains("not UTF-8") == true)
    }

    @Test func boundsCopiesOfOneList() {
        // A list of pairs, given to an ordered dictionary again and again by six bytes each.
        var text = Array("]q\u{0}(".utf8)
        for _ in 0..<2000 { text += Array("U\u{1}aN\u{86}".unicodeScalars.map { UInt8($0.value) }) }
        text += [0x65]
        for _ in 0..<2000 { text += Array("ccollections\nOrderedDict\nh\u{0}".utf8) + [0x85, 0x52, 0x30] }
        #expect(refusal([0x80, 2] + text + [0x7d, 0x2e])?.contains("a list copied over and over") == true)
    }
}
