import FixtureMeshes
import Foundation
import SSDFCore
import SSDFImage
import SSDFNeural
import SSDFTensor
import Testing

/// Pictures prepared for the image encoder, against recorded ones where there are any.
@Suite struct ConditionImageTests {
    private static func picture(_ path: String) throws -> RasterImage {
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        return try bytes.withUnsafeBytes { try RasterImage(png: $0) }
    }

    /// Every picture of the folders of recorded cases.
    @Test(arguments: ParityTests.pictureFolders) func equalsTheRecorded(in url: URL) throws {
        let folder = url.path
        let data = try Data(contentsOf: url.appendingPathComponent("index.json"))
        let index = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        let items = try #require(index["items"] as? [[String: Any]])
        #expect(!items.isEmpty)
        for item in items {
            let input = try #require(item["input"] as? String)
            let expected = try Self.picture("\(folder)/\(try #require(item["expected"] as? String))")
            let found = try ConditionImage(try Self.picture("\(folder)/\(input)"), side: expected.width)
            var wrong = 0
            for pixel in 0..<expected.width * expected.height {
                for channel in 0..<4 {
                    let value =
                        channel == 3 ? found.mask[pixel] : found.colors[3 * pixel + channel]
                    if UInt16(value) != expected.pixels[4 * pixel + channel] >> 8 { wrong += 1 }
                }
            }
            print("parity g_images: \(input) \(wrong) of \(4 * expected.width * expected.height) values differ")
            #expect(wrong == 0, "\(input)")
            if let rows = item["patch_mask_rows"] as? [String] {
                let mask = PatchMask(
                    Tensor(found.mask.map { Float($0) }, shape: [1, found.side, found.side]),
                    patch: found.side / rows.count)
                #expect(mask.isCovered == rows.flatMap { $0.map { $0 == "#" } }, "\(input)")
            }
        }
    }

    private static func disk(background: UInt16, alpha: Bool) -> RasterImage {
        var pixels: [UInt16] = []
        for y in 0..<64 {
            for x in 0..<96 {
                let inside = (x - 40) * (x - 40) + (y - 30) * (y - 30) < 400
                pixels +=
                    inside ? [40_000, 8_000, 20_000, .max] : [background, background, background, alpha ? 0 : .max]
            }
        }
        return RasterImage(width: 96, height: 64, pixels: pixels)
    }

    /// A plain background gives the matte that the alpha would have given.
    @Test func tellsAnObjectFromAPlainBackground() throws {
        let plain = try Self.disk(background: 60_000, alpha: false).mattedFromPlainBackground()
        let alpha = Self.disk(background: 60_000, alpha: true)
        #expect(plain == alpha)
        #expect(!Self.disk(background: 60_000, alpha: false).hasTransparency && alpha.hasTransparency)
    }

    @Test func refusesWhatShowsNothing() {
        let blank = RasterImage(width: 8, height: 8, pixels: [UInt16](repeating: 0, count: 256))
        #expect(throws: Failure.self) { try ConditionImage(blank) }
        let white = RasterImage(width: 8, height: 8, pixels: [UInt16](repeating: .max, count: 256))
        #expect(throws: Failure.self) { try white.mattedFromPlainBackground() }
        #expect(throws: Failure.self) { try blank.matted(by: RasterImage(width: 1, height: 1, pixels: [0, 0, 0, 0])) }
    }
}
