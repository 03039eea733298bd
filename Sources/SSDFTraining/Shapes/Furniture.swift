import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension ShapeBuilder {
    /// Four legs, a seat, a back of a panel, slats or spindles, arms or none.
    mutating func chair() {
        let (width, depth) = (between(0.2, 0.27), between(0.19, 0.26))
        let seat = between(0.36, 0.46)
        let thick = between(0.028, 0.05)
        let top = seat + between(0.35, 0.6)
        box([0, seat, 0], half: [width, thick, depth], round: between(0.005, 0.025))
        legs(x: width - 0.035, z: depth - 0.035, top: seat, splay: between(0, 0.05), radius: between(0.024, 0.036))
        let lean = between(0, 0.1)
        let back = -depth + 0.03
        let radius = between(0.024, 0.034)
        for side: Float in [-1, 1] {
            rod(from: [side * (width - 0.03), seat, back], to: [side * (width - 0.03), top, back - lean], radius)
        }
        let style = whole(0...2)
        let span = top - seat
        switch style {
        case 0:
            let tilt = Self.frame(turned: -atan2f(lean, span), about: [1, 0, 0])
            let half = between(0.3, 0.42) * span
            box(
                [0, top - half, back - lean * (1 - half / span)], half: [width - 0.02, half, between(0.024, 0.035)],
                round: 0.012, frame: tilt)
        case 1:
            for index in 0..<whole(2...3) {
                let t = 1 - Float(index) * 0.34
                box(
                    [0, seat + span * t - 0.02, back - lean * t], half: [width - 0.02, 0.042, 0.024], round: 0.012)
            }
        default:
            box([0, top, back - lean], half: [width, 0.035, 0.028], round: 0.015)
            let count = whole(2...4)
            for index in 0..<count {
                let x = (width - 0.06) * (2 * Float(index + 1) / Float(count + 1) - 1)
                rod(from: [x, seat, back], to: [x, top, back - lean], 0.022)
            }
        }
        if chance(0.35) {
            let arm = seat + between(0.17, 0.24)
            for side: Float in [-1, 1] {
                let x = side * (width - 0.005)
                rod(from: [x, seat, depth - 0.06], to: [x, arm, depth - 0.06], 0.024)
                rod(from: [x, arm, depth - 0.04], to: [x, arm, back - lean / 2], 0.028)
            }
        }
    }

    /// A round or square seat on three or four legs, or on one column with a foot.
    mutating func stool() {
        let height = between(0.45, 0.8)
        let radius = between(0.17, 0.24)
        if chance(0.6) {
            cylinder(from: [0, height - between(0.05, 0.09), 0], to: [0, height, 0], radius, round: 0.02)
        } else {
            box([0, height - 0.04, 0], half: [radius, 0.04, radius], round: 0.02)
        }
        if chance(0.3) {
            blend = 0.03
            cylinder(from: [0, 0.02, 0], to: [0, height - 0.04, 0], between(0.03, 0.05))
            cylinder(from: [0, 0, 0], to: [0, between(0.045, 0.07), 0], radius * between(0.8, 1.05), round: 0.015)
            return
        }
        let count = whole(3...4)
        let (inner, outer) = (radius * 0.65, radius * between(0.8, 1.15))
        let ring = between(0.25, 0.5)
        let thick = between(0.023, 0.033)
        var feet: [Vector3f] = []
        for index in 0..<count {
            let angle = 2 * Float.pi * (Float(index) + 0.5) / Float(count)
            let direction = Vector3f(cosf(angle), 0, sinf(angle))
            rod(from: direction * outer, to: direction * inner + [0, height - 0.05, 0], thick)
            feet.append(direction * (outer + (inner - outer) * ring) + [0, height * ring, 0])
        }
        guard chance(0.6) else { return }
        for index in 0..<count { rod(from: feet[index], to: feet[(index + 1) % count], 0.021) }
    }

    /// A round, square or long top on legs, a pedestal or two panels.
    mutating func table() {
        let height = between(0.35, 0.6)
        let isRound = chance(0.35)
        let width = between(0.35, 0.6)
        let depth = isRound ? width : between(0.25, 0.4)
        let thick = between(0.05, 0.08)
        if isRound {
            cylinder(from: [0, height - thick, 0], to: [0, height, 0], width, round: between(0.006, 0.024))
        } else {
            box([0, height - thick / 2, 0], half: [width, thick / 2, depth], round: between(0.004, 0.022))
        }
        let style = whole(0...3)
        if style == 0 || (isRound && style == 1) {
            blend = between(0.02, 0.06)
            let radius = between(0.04, 0.07)
            cone(from: [0, 0.02, 0], to: [0, height - thick / 2, 0], radius * between(1, 1.5), radius)
            if chance(0.5) {
                cylinder(from: .zero, to: [0, 0.06, 0], min(width, depth) * between(0.5, 0.7), round: 0.02)
            } else {
                for index in 0..<4 {
                    let angle = Float.pi * (0.5 * Float(index) + 0.25)
                    let reach = min(width, depth) * 0.75
                    rod(from: [0, 0.1, 0], to: [cosf(angle) * reach, 0.03, sinf(angle) * reach], 0.035, 0.03)
                }
            }
        } else if style == 1 {
            for side: Float in [-1, 1] {
                box(
                    [side * width * 0.8, (height - thick / 2) / 2, 0],
                    half: [0.03, (height - thick / 2) / 2, depth * 0.85],
                    round: 0.008)
            }
            if chance(0.6) { box([0, height * 0.35, 0], half: [width * 0.8, 0.04, 0.026], round: 0.008) }
        } else {
            let inset: Float = isRound ? 0.62 : 0.88
            legs(
                x: width * inset, z: depth * inset, top: height - thick / 2, splay: chance(0.4) ? between(0, 0.06) : 0,
                radius: between(0.026, 0.045))
            if !isRound, chance(0.5) {
                box([0, height - thick - 0.03, 0], half: [width * 0.88, 0.045, depth * 0.88], round: 0.005)
                cuts = true
                box(
                    [0, height - thick - 0.06, 0], half: [width * 0.88 - 0.05, 0.06, depth * 0.88 - 0.05], round: 0.005)
                cuts = false
            }
        }
    }

    /// A frame with a mattress, pillows, a headboard and perhaps a footboard.
    mutating func bed() {
        let (width, length) = (between(0.28, 0.5), between(0.5, 0.58))
        let base = between(0.12, 0.22)
        box([0, base, 0], half: [width, between(0.035, 0.06), length], round: 0.01)
        box([0, base + 0.09, 0.01], half: [width - 0.02, 0.07, length - 0.03], round: between(0.02, 0.05))
        legs(x: width - 0.05, z: length - 0.05, top: base, splay: 0, radius: between(0.03, 0.045))
        let head = base + between(0.25, 0.45)
        if chance(0.6) {
            box([0, head / 2 + 0.03, -length], half: [width + 0.01, head / 2, 0.032], round: between(0.006, 0.03))
        } else {
            for side: Float in [-1, 1] {
                rod(from: [side * width, 0.05, -length], to: [side * width, head, -length], 0.03)
            }
            box([0, head - 0.02, -length], half: [width, 0.035, 0.025], round: 0.01)
            let count = whole(3...5)
            for index in 0..<count {
                let x = width * (2 * Float(index + 1) / Float(count + 1) - 1)
                rod(from: [x, base, -length], to: [x, head, -length], 0.022)
            }
        }
        if chance(0.5) {
            let foot = base + between(0.08, 0.2)
            box([0, foot / 2 + 0.02, length], half: [width + 0.01, foot / 2, 0.03], round: 0.01)
        }
        let pillows = width > 0.38 ? 2 : 1
        for index in 0..<pillows {
            let x = pillows == 1 ? 0 : width * (Float(index) - 0.5)
            ellipsoid(
                [x, base + 0.19, -length + 0.16], radii: [width / Float(pillows) * 0.72, between(0.05, 0.07), 0.1])
        }
    }

    /// A shade on a stand; or a jointed arm with a cone.
    mutating func lamp() {
        let foot = between(0.14, 0.2)
        cylinder(from: .zero, to: [0, between(0.045, 0.07), 0], foot, round: between(0.01, 0.03))
        if chance(0.65) {
            let height = between(0.5, 0.85)
            let (low, high) = (between(0.18, 0.28), between(0.09, 0.17))
            let tall = between(0.2, 0.32)
            if chance(0.4) {
                blend = 0.03
                ellipsoid([0, height * 0.33, 0], radii: [0.1, height * between(0.22, 0.3), 0.1])
                blend = 0
            }
            rod(from: [0, 0.03, 0], to: [0, height + tall * 0.8, 0], between(0.023, 0.035))
            cone(from: [0, height, 0], to: [0, height + tall, 0], low, high, round: 0.006)
            cuts = true
            cone(
                from: [0, height - 0.06, 0], to: [0, height + tall - 0.045, 0], low - 0.03, high - 0.042, round: 0.002)
            cuts = false
            rod(from: [0, 0.03, 0], to: [0, height + tall - 0.03, 0], 0.023)
        } else {
            let (lower, upper) = (between(0.35, 0.5), between(0.3, 0.45))
            let (a, b) = (between(0.1, 0.5), between(0.4, 1.1))
            let joint = Vector3f(0, lower * cosf(a), -lower * sinf(a)) + [0, 0.04, 0]
            let tip = joint + Vector3f(0, upper * cosf(b), upper * sinf(b))
            rod(from: [0, 0.04, 0], to: joint, 0.026)
            ball(joint, between(0.035, 0.05))
            rod(from: joint, to: tip, 0.024)
            let aim = Vector3f(0, -1, between(0.2, 0.8)).normalized
            let length = between(0.16, 0.24)
            let wide = between(0.12, 0.17)
            cone(from: tip - aim * 0.03, to: tip + aim * length, 0.055, wide)
            cuts = true
            cone(from: tip + aim * 0.04, to: tip + aim * (length + 0.03), 0.03, wide - 0.015, round: 0.002)
            cuts = false
            ball(tip + aim * (length * 0.55), 0.05)
        }
    }

    /// Four legs, round or square, from the ground up.
    private mutating func legs(x: Float, z: Float, top: Float, splay: Float, radius: Float) {
        let isRound = chance(0.5)
        let taper = between(0.8, 1)
        for (sx, sz): (Float, Float) in [(-1, -1), (-1, 1), (1, -1), (1, 1)] {
            if isRound || splay > 0.01 {
                cone(
                    from: [sx * (x + splay), 0, sz * (z + splay)], to: [sx * x, top, sz * z],
                    max(radius * taper, 0.022),
                    radius)
            } else {
                box([sx * x, top / 2, sz * z], half: [radius, top / 2, radius], round: 0.006)
            }
        }
    }
}
