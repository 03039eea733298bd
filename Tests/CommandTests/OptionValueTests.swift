import SSDFCommand
import Testing

@Suite struct OptionValueTests {
    @Test(arguments: [
        ("1", 1), ("512", 512), ("1K", 1024), ("900M", 900 << 20), ("4G", 4 << 30), ("4GiB", 4 << 30), ("4gb", 4 << 30),
        ("1.5g", 3 << 29), ("2T", 2 << 40), ("16b", 16),
    ])
    func readsSizes(text: String, bytes: Int) {
        #expect(ByteSize(argument: text)?.bytes == bytes)
    }

    @Test(arguments: ["", "0", "-1", "G", "1X", "1GG", "1e3", "nan", "1 G", "9999999T", "1..5G"])
    func refusesOtherSizes(text: String) {
        #expect(ByteSize(argument: text) == nil)
    }

    @Test func readsSeedsAndThreads() {
        #expect(Seed(argument: "18446744073709551615")?.value == .max)
        #expect(Seed(argument: "-1") == nil && Seed(argument: "x") == nil)
        #expect(Seed(argument: "random") != Seed(argument: "random"))
        #expect(ThreadCount(argument: "1024")?.count == 1024)
        #expect(ThreadCount(argument: "1025") == nil && ThreadCount(argument: "0") == nil)
    }
}
