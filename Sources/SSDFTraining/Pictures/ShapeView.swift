import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// How a shape is pictured: from where, in which light, of which colour.
package struct ShapeView: Sendable, Equatable {
    /// Degrees round the vertical: 0 looks from +z, 90 from +x.
    package var azimuth: Float
    /// Degrees above the horizon.
    package var elevation: Float
    /// From the eye to the centre of the cube, whose half side is 1.
    package var distance: Float
    /// Unit, towards the light, world axes.
    package var light: Vector3f
    /// Light from everywhere, as a share of all.
    package var ambient: Float
    /// How much darker hollows are, 0 … 1.
    package var occlusion: Float
    /// Strength of the highlight, and its exponent.
    package var highlight: Float
    /// The highlight's exponent: the higher, the smaller it is.
    package var gloss: Float
    /// Linear colour of the surface; below `split` the other one.
    package var colors: (Vector3f, Vector3f)
    /// The height along y at which the colour changes.
    package var split: Float
    /// The picture holds colours to the power of 1/gamma.
    package var gamma: Float

    /// Whether azimuth, elevation, colours and light are equal, which no two views drawn at random share.
    package static func == (a: Self, b: Self) -> Bool {
        a.azimuth == b.azimuth && a.elevation == b.elevation && a.colors == b.colors && a.light == b.light
    }

    /// A view drawn at random: from the front half, a little from above, lit from the upper front. Shading and colour
    /// vary more than one renderer's do, so that pictures of others are not strange.
    package init(_ generator: inout Philox) {
        func uniform(_ low: Float, _ high: Float) -> Float { low + (high - low) * Float(generator.uniform()) }
        azimuth = uniform(-60, 60)
        elevation = uniform(10, 30)
        distance = uniform(3.5, 7)
        let (turn, height) = ((azimuth + uniform(-70, 70)) * .pi / 180, uniform(20, 75) * .pi / 180)
        light = Vector3f(sinf(turn) * cosf(height), sinf(height), cosf(turn) * cosf(height))
        ambient = uniform(0.2, 0.5)
        occlusion = uniform(0, 0.7)
        let isGlossy = generator.uniform() < 0.4
        highlight = isGlossy ? uniform(0.05, 0.4) : 0
        gloss = uniform(8, 60)
        func color() -> Vector3f {
            let value = uniform(0.25, 0.95)
            let saturation = uniform(0, 0.8) * (generator.uniform() < 0.3 ? 0.15 : 1)
            let hue = uniform(0, 6)
            func channel(_ shift: Float) -> Float {
                let k = fmodf(shift + hue, 6)
                return value * (1 - saturation * max(0, min(min(k, 4 - k), 1)))
            }
            return Vector3f(channel(5), channel(3), channel(1))
        }
        let first = color()
        let isSplit = generator.uniform() < 0.25
        colors = (first, color())
        split = isSplit ? uniform(-0.5, 0.5) : -2
        gamma = uniform(1.2, 2.2)
    }
}
