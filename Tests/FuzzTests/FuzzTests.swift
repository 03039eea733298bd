import FuzzTargets
import SSDFCore
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A short form of Tests/Fuzz/run: every target on its seeds and on some thousand mutations of them, the same in every run.
/// `SSDF_LONG_TESTS` tries a hundred times as many.
@Suite struct FuzzTests {
    private static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        .joined(separator: "/")

    /// The lines of Tests/Fuzz/seeds: a target's name and a pattern of files.
    private static func patterns() throws -> [(target: String, pattern: String)] {
        let bytes = try FileBytes(path: "\(root)/Tests/Fuzz/seeds")
        let text = try bytes.withBytes { raw throws(Failure) in String(decoding: raw, as: UTF8.self) }
        return text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
            let words = line.split(separator: " ")
            return (String(words[0]), String(words[1]))
        }
    }

    private static func seeds(of target: FuzzTarget) throws -> [[UInt8]] {
        var found: [[UInt8]] = []
        for (name, pattern) in try patterns() where name == target.rawValue {
            var matches = glob_t()
            defer { globfree(&matches) }
            try #require(glob("\(root)/\(pattern)", 0, nil, &matches) == 0, "\(pattern)")
            for index in 0..<Int(matches.gl_pathc) {
                let file = try FileBytes(path: String(cString: matches.gl_pathv[index]!))
                found.append(try file.withBytes { raw throws(Failure) in Array(raw) })
            }
        }
        return found
    }

    @Test func everyTargetHasSeeds() throws {
        #expect(Set(try Self.patterns().map(\.target)) == Set(FuzzTarget.allCases.map(\.rawValue)))
    }

    @Test(arguments: FuzzTarget.allCases) func survives(target: FuzzTarget) throws {
        let seeds = try Self.seeds(of: target)
        for seed in seeds { seed.withUnsafeBytes(target.run) }
        // The largest take longer than their variety is worth.
        let small = seeds.filter { $0.count <= 8192 }
        let count = getenv("SSDF_LONG_TESTS") == nil ? 3000 : 100_000
        var random = Philox(seed: 20)
        for _ in 0..<count {
            var input = small[Int(random.next() % UInt64(small.count))]
            let other = small[Int(random.next() % UInt64(small.count))]
            for _ in 0...random.next() % 4 { Self.mutate(&input, with: other, &random) }
            input.withUnsafeBytes(target.run)
        }
    }

    /// One change of the kinds that break readers: a bit, a byte that is special, a number at its limit, a part left out,
    /// doubled or taken from elsewhere, an end.
    private static func mutate(_ input: inout [UInt8], with other: [UInt8], _ random: inout Philox) {
        guard !input.isEmpty else {
            input = other
            return
        }
        let place = Int(random.next() % UInt64(input.count))
        let length = min(1 + Int(random.next() % 16), input.count - place)
        switch random.next() % 8 {
        case 0: input[place] ^= 1 << UInt8(random.next() % 8)
        case 1: input[place] = [0, 1, 0x7f, 0x80, 0xff, 0x0a, 0x20, 0x2d, 0x30, 0x39][Int(random.next() % 10)]
        case 2:
            let limits: [Int64] = [0, -1, .max, .min, 1 << 31, 1 << 32, 0x7fff_ffff, 0xffff]
            let bytes = withUnsafeBytes(of: limits[Int(random.next() % 8)].littleEndian) { Array($0) }
            for index in 0..<min(8, length) { input[place + index] = bytes[index] }
        case 3: input.removeSubrange(place..<place + length)
        case 4: input.insert(contentsOf: Array(input[place..<place + length]), at: place)
        case 5: input.removeSubrange(place...)
        case 6:
            let start = other.isEmpty ? 0 : Int(random.next() % UInt64(other.count))
            input.replaceSubrange(place..<place + length, with: other[start..<min(start + 16, other.count)])
        default: for index in place..<place + length { input[index] = UInt8(truncatingIfNeeded: random.next()) }
        }
    }
}
