import SSDFCore

/// Colours for numbers, made in a space where equal steps look equal.
///
/// Source: Ottosson, "A perceptual color space for image processing" (Oklab), 2020.
package enum ColorMap: Sendable {
    /// -1…1: blue, nearly white at 0, red. For signed distances: blue is inside.
    case diverging
    /// 0…1: dark violet to light yellow, lightness rising evenly.
    case sequential

    /// The colour of a value, sRGB code values 0…1; values outside the map's range take its end.
    package func callAsFunction(_ value: Float) -> Vector3f {
        switch self {
        case .diverging:
            let t = value.clamped(to: -1...1)
            let strength = abs(t)
            let hue = t < 0 ? 255.0 : 32.0
            return Oklab(lightness: 0.97 - 0.44 * strength, chroma: 0.19 * strength, hue: hue).code
        case .sequential:
            let t = value.clamped(to: 0...1)
            let chroma = 0.07 + 0.09 * (1 - (2 * t - 1) * (2 * t - 1))
            return Oklab(lightness: 0.22 + 0.72 * t, chroma: chroma, hue: 300 - 195 * Double(t)).code
        }
    }
}

/// A colour by lightness 0…1 and two opponent axes.
private struct Oklab {
    var lightness: Float
    var a: Float
    var b: Float

    /// - Parameter hue: degrees.
    init(lightness: Float, chroma: Float, hue: Double) {
        self.lightness = lightness
        a = chroma * Float(cosine(hue * .pi / 180))
        b = chroma * Float(sine(hue * .pi / 180))
    }

    /// sRGB code values 0…1; colours outside the gamut are cut to it.
    var code: Vector3f {
        let l = lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b
        let m = lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b
        let s = lightness - 0.089_484_177_5 * a - 1.291_485_548_0 * b
        let (l3, m3, s3) = (l * l * l, m * m * m, s * s * s)
        let red = 4.076_741_662_1 * l3 - 3.307_711_591_3 * m3 + 0.230_969_929_2 * s3
        let green = -1.268_438_004_6 * l3 + 2.609_757_401_1 * m3 - 0.341_319_396_5 * s3
        let blue = -0.004_196_086_3 * l3 - 0.703_418_614_7 * m3 + 1.707_614_701_0 * s3
        return Vector3f(
            encodeSRGB(red.clamped(to: 0...1)), encodeSRGB(green.clamped(to: 0...1)),
            encodeSRGB(blue.clamped(to: 0...1)))
    }
}
