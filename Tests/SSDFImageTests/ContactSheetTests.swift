import SSDFImage
import Testing

@Suite struct ContactSheetTests {
    @Test func cellsStandInRows() {
        let pictures = (1...3).map { shade in
            RasterImage(width: 2, height: 2, pixels: [UInt16](repeating: UInt16(shade) * 257, count: 16))
        }
        let sheet = RasterImage.contactSheet(pictures, columns: 2, cell: 3, background: SIMD4(repeating: .max))
        #expect(sheet.width == 6 && sheet.height == 6)
        let red = (0..<36).map { sheet.pixels[4 * $0] == .max ? 0 : Int(sheet.pixels[4 * $0] / 257) }
        #expect(
            red == [
                1, 1, 0, 2, 2, 0,
                1, 1, 0, 2, 2, 0,
                0, 0, 0, 0, 0, 0,
                3, 3, 0, 0, 0, 0,
                3, 3, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0,
            ])
    }
}
