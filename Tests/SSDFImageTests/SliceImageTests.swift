import SSDFCore
import SSDFImage
import Testing

@Suite struct SliceImageTests {
    /// Blue below the level, red above it, dark on it, grey where nothing is known.
    @Test func drawsSidesLineAndHatching() {
        let width = 9
        var values: [Float] = []
        for _ in 0..<4 { for x in 0..<width { values.append(x == 8 ? .nan : Float(x) - 3.5) } }
        let zoom = 8
        let image = SliceSamples(width: width, height: 4, values: values)
            .image(map: .diverging, iso: 0, range: 4, zoom: zoom, threads: 2)
        #expect(image.width == 72 && image.height == 32)
        func pixel(_ x: Int, _ y: Int) -> (r: UInt16, g: UInt16, b: UInt16) {
            let i = 4 * (y * image.width + x)
            return (image.pixels[i], image.pixels[i + 1], image.pixels[i + 2])
        }
        let inside = pixel(8, 16)
        #expect(inside.b > inside.r)
        let outside = pixel(58, 16)
        #expect(outside.r > outside.b)
        // The values change sign half way between samples 3 and 4: at pixel 32.
        #expect(pixel(31, 16).g < 0x4000 && pixel(32, 16).g < 0x4000)
        let unknown = pixel(70, 16)
        #expect(unknown.r == unknown.g && unknown.g == unknown.b)
    }

    /// The sequential map's lightness rises with the value; both maps stay in the gamut.
    @Test func mapsAreOrdered() {
        var last: Float = -1
        for step in 0...64 {
            let c = ColorMap.sequential(Float(step) / 64)
            let luma = 0.2126 * c.x + 0.7152 * c.y + 0.0722 * c.z
            #expect(luma > last)
            last = luma
            for value in [-1.5, -0.5, 0, 0.5, 1.5] as [Float] {
                let d = ColorMap.diverging(value)
                #expect(all(d .>= .zero) && all(d .<= Vector3f(repeating: 1)))
            }
        }
    }
}
