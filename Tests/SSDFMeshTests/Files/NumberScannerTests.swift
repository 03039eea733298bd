import CSSDFKernels
import SSDFCore
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The scanner of decimal numbers against strtof(3), which rounds correctly.
@Suite struct NumberScannerTests {
    private func scan(_ text: String) -> (value: Float, length: Int)? {
        var bytes = Array(text.utf8)
        bytes += [UInt8](repeating: 10, count: Int(SSDF_TEXT_PADDING))
        return bytes.withUnsafeBufferPointer { bytes in
            var value: Float = 0
            guard let after = ssdf_scan_float(bytes.baseAddress!, &value) else { return nil }
            return (value, after - bytes.baseAddress!)
        }
    }

    private func check(_ text: String) {
        let expected = strtof(text, nil)
        let found = scan(text)
        #expect(found?.length == text.utf8.count, "\(text)")
        #expect(found?.value.bitPattern == expected.bitPattern, "\(text)")
    }

    @Test func agreesOnAwkwardNumbers() {
        for text in [
            "0", "-0", "+1", "1.", ".5", "-.5e3", "1e10", "1E-10", "1e+05", "0.0000000000000000000000000000000000001",
            "123456789012345678901234567890", "16777217", "16777217.0000000000000000000000001", "3.4028235e38",
            "3.4028236e38", "1e39", "1.1754944e-38", "1e-45", "7e-46", "7.1e-46", "1e-400", "1e400",
            "1e99999999999999999",
            "00000000000000000000000000000001.5", "0.50000002980232238769531250000000000000001",
        ] { check(text) }
        check("1" + String(repeating: "0", count: 300) + "e-300")
        check("0." + String(repeating: "0", count: 300) + "1e301")
    }

    @Test func agreesOnRandomNumbers() {
        var random = Philox(seed: 9)
        for step in 0..<1_000_000 {
            let bits = random.next()
            let value = Float(bitPattern: UInt32(truncatingIfNeeded: bits))
            guard value.isFinite else { continue }
            switch step % 4 {
            case 0: check("\(value)")
            case 1: check("\(Double(value) * (1 + 1e-9))")
            case 2: check("\(Double(Int64(truncatingIfNeeded: bits) >> 30) / 1e6)")
            default:
                // Exactly between two floats, and one double to each side.
                let tie = Double(bitPattern: (Double(value).bitPattern & ~0x1FFF_FFFF) | 0x1000_0000)
                check("\(tie)")
                check("\(tie.nextUp)")
                check("\(tie.nextDown)")
            }
        }
    }

    @Test func refusesWhatIsNoNumber() {
        for text in ["", "-", ".", "+.", "e5", "x1", "1e", "1e+", "--1", "in", "na"] {
            #expect(scan(text) == nil, "\(text)")
        }
        #expect(scan("inf")?.value == .infinity)
        #expect(scan("-Infinity")?.value == -.infinity)
        #expect(scan("NaN")?.value.isNaN == true)
    }

    @Test func scansIntegers() {
        func integer(_ text: String) -> Int64? {
            let bytes = Array(text.utf8) + [UInt8](repeating: 10, count: Int(SSDF_TEXT_PADDING))
            var value: Int64 = 0
            return bytes.withUnsafeBufferPointer { ssdf_scan_integer($0.baseAddress!, &value) } == nil ? nil : value
        }
        for text in ["0", "-1", "+7", "12345678", "123456789", "4294967295", "-99999999999999999"] {
            #expect(integer(text) == Int64(text), "\(text)")
        }
        #expect(integer(String(repeating: "9", count: 40)) == 1 << 62)
        #expect(integer("-" + String(repeating: "9", count: 40)) == -(1 << 62))
        #expect(integer("x") == nil)
    }
}
