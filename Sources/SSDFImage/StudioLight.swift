import SSDFCore

/// A soft photo studio that moves with the camera: a warm key light above the left shoulder, a cool fill from the
/// right, a rim light from behind, and a bright sky over a dim floor. All numbers are linear light.
struct StudioLight: Sendable {
    /// Towards the lights, view coordinates.
    let key = Vector3f(-0.45, 0.75, 0.62).normalized
    private let fill = Vector3f(0.85, 0.15, 0.55).normalized
    private let rim = Vector3f(0.35, 0.45, -0.82).normalized

    private let keyColor = Vector3f(1.62, 1.54, 1.40)
    private let fillColor = Vector3f(0.15, 0.18, 0.24)
    private let rimColor = Vector3f(0.50, 0.52, 0.56)
    private let sky = Vector3f(0.40, 0.43, 0.48)
    private let floor = Vector3f(0.13, 0.12, 0.11)

    /// Light from a surface point to the viewer.
    /// - Parameters:
    ///   - albedo: the surface's colour.
    ///   - normal: unit, view coordinates, on the viewer's side.
    ///   - viewer: unit, towards the viewer.
    ///   - skyward: the normal's component along the vertical of space.
    ///   - visible: share of the key light that arrives.
    ///   - open: share of the sky that is not hidden.
    func shade(
        albedo: Vector3f, normal: Vector3f, viewer: Vector3f, skyward: Float, visible: Float, open: Float
    ) -> Vector3f {
        let ambient = floor + (sky - floor) * (0.5 + 0.5 * skyward)
        // A little of the key light wraps round, as from a wide lamp.
        let direct = max(0, (normal.dot(key) + 0.12) / 1.12) * visible
        let side = max(0, (normal.dot(fill) + 0.25) / 1.25)
        let behind = max(0, normal.dot(rim))
        // Occlusion is what the sky loses; what fill and rim lose is less.
        let softened = 0.4 + 0.6 * open
        let irradiance =
            ambient * open + keyColor * direct * (0.55 + 0.45 * open) + (fillColor * side + rimColor * behind)
            * softened
        let halfway = (key + viewer).normalized
        let mirrored = max(0, normal.dot(halfway))
        let gloss = sixteenthPower(mirrored * mirrored * mirrored) * 0.09 * visible
        // Near grazing angles every surface mirrors.
        let slant = 1 - max(0, min(1, normal.dot(viewer)))
        let grazing = slant * slant * slant * slant * slant * 0.10 * softened
        return albedo * irradiance * 0.54 + Vector3f(repeating: gloss + grazing)
    }

    /// Linear light of at most 1: what is brighter is rolled off instead of cut.
    static func rolledOff(_ linear: Vector3f) -> Vector3f {
        let knee: Float = 0.75
        let excess = pointwiseMax(linear - Vector3f(repeating: knee), .zero)
        let room = Vector3f(repeating: 1 - knee)
        // x / (1 + x) leaves the knee with slope 1 and stays below 1.
        return pointwiseMin(linear, Vector3f(repeating: knee)) + excess * room / (room + excess)
    }
}

private func sixteenthPower(_ x: Float) -> Float {
    let second = x * x
    let fourth = second * second
    let eighth = fourth * fourth
    return eighth * eighth
}

/// The sRGB transfer function. Source: IEC 61966-2-1, 1999.
func encodeSRGB(_ linear: Float) -> Float {
    linear <= 0.003_130_8 ? 12.92 * linear : 1.055 * power(linear, 1 / 2.4) - 0.055
}
