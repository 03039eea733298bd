import SSDFCore
import Testing

@Suite struct ContentHashTests {
    /// The one-block message of FIPS 180-4's examples.
    @Test func matchesFIPSExample() {
        let hash = Array("abc".utf8).withUnsafeBytes { contentHash($0) }
        #expect(hash == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }
}
