import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension ShapeBuilder {
    /// A fuselage, wings, a tail, and engines under the wings, on the nose or none. The nose is at +z.
    mutating func airplane() {
        let length = between(0.75, 0.95)
        let radius = between(0.065, 0.1)
        let nose = length * between(0.42, 0.5)
        rod(from: [0, 0, -length * 0.5], to: [0, 0, -length * 0.1], radius * 0.45, radius)
        blend = 0.02
        rod(from: [0, 0, -length * 0.15], to: [0, 0, nose - radius], radius, radius * between(0.75, 1))
        if chance(0.5) {
            ellipsoid([0, radius * 0.75, nose * 0.45], radii: [radius * 0.7, radius * 0.7, radius * between(1.4, 2)])
        }
        let span = between(0.4, 0.62)
        let (root, tip) = (between(0.2, 0.3), between(0.08, 0.16))
        let sweep = between(0, 0.22)
        let level = chance(0.3) ? radius * 0.7 : -radius * between(0, 0.5)
        let at = between(-0.02, 0.1)
        blend = 0.015
        for side: Float in [-1, 1] {
            wing(
                [0, level, at], side: [side, between(0, 0.06), 0], span: span, root: root, tip: tip, sweep: sweep,
                depth: between(0.045, 0.055))
        }
        let tail = -length * 0.5
        let (tailSpan, tailRoot) = (span * between(0.32, 0.42), root * between(0.5, 0.7))
        let isHigh = chance(0.25)
        let fin = between(0.17, 0.25)
        for side: Float in [-1, 1] {
            wing(
                [0, isHigh ? fin : 0.01, tail + tailRoot * 0.6], side: [side, 0, 0], span: tailSpan, root: tailRoot,
                tip: tailRoot * 0.6, sweep: sweep * 0.4, depth: 0.042)
        }
        wing(
            [0, 0, tail + tailRoot * 0.6], side: [0, 1, 0], span: fin + 0.02, root: tailRoot * 1.1, tip: tailRoot * 0.7,
            sweep: 0.1, depth: 0.044)
        blend = 0
        switch whole(0...2) {
        case 0:
            let count = chance(0.3) ? 2 : 1
            for index in 1...count {
                let t = count == 1 ? between(0.32, 0.42) : 0.28 + 0.3 * Float(index - 1)
                for side: Float in [-1, 1] {
                    let place = Vector3f(side * span * t, level - 0.065, at - sweep * t + 0.05)
                    cylinder(from: place - [0, 0, 0.08], to: place + [0, 0, 0.1], 0.047, round: 0.02)
                }
            }
        case 1:
            cone(from: [0, 0, nose - 0.02], to: [0, 0, nose + 0.07], radius * 0.6, 0.02)
            let blade = between(0.15, 0.2)
            let angle = between(0, .pi)
            let direction = Vector3f(cosf(angle), sinf(angle), 0)
            rod(
                from: Vector3f(0, 0, nose + 0.03) - direction * blade,
                to: Vector3f(0, 0, nose + 0.03) + direction * blade, 0.023)
        default: break
        }
    }

    /// A flat, tapered, swept surface that grows from `root` along `side`; the chord lies along z.
    private mutating func wing(
        _ place: Vector3f, side: Vector3f, span: Float, root: Float, tip: Float, sweep: Float, depth: Float
    ) {
        plate(
            place, right: side.normalized, up: [0, 0, 1],
            corners: [[0, root / 2], [span, tip / 2 - sweep], [span, -tip / 2 - sweep], [0, -root / 2]], depth: depth,
            round: depth * 0.4)
    }

    /// A hull with a cabin and funnels, or with a mast and a sail. The bow is at +z.
    mutating func boat() {
        let length = between(0.42, 0.5)
        let (beam, height) = (between(0.13, 0.2), between(0.12, 0.18))
        let bow = between(0.15, 0.3)
        // Seen from above: a straight part and a pointed bow; flared by the ellipsoid below.
        blend = 0.03
        plate(
            [0, height / 2, 0], right: [1, 0, 0], up: [0, 0, 1],
            corners: [[-beam, -length], [-beam, length - bow], [beam, length - bow], [beam, -length]], depth: height,
            round: 0.02)
        plate(
            [0, height / 2, 0], right: [1, 0, 0], up: [0, 0, 1],
            corners: [
                [-beam, length - bow - 0.02], [-0.01, length + 0.06], [0.01, length + 0.06],
                [beam, length - bow - 0.02],
            ],
            depth: height, round: 0.02)
        ellipsoid([0, 0.02, -0.03], radii: [beam * 0.85, height * between(0.5, 0.9), length * 0.9])
        blend = 0
        if chance(0.5) {
            cuts = true
            box(
                [0, height, -bow * 0.4], half: [beam - 0.05, height * 0.45, length - bow * 0.6 - 0.06], round: 0.02)
            cuts = false
            for index in 0..<whole(0...2) {
                box([0, height * 0.85, -0.22 + 0.24 * Float(index)], half: [beam, 0.024, 0.04], round: 0.006)
            }
            let mast = between(0.6, 0.9)
            let foot = between(-0.02, 0.12)
            rod(from: [0, 0.03, foot], to: [0, height + mast, foot], 0.026)
            let boom = between(0.28, 0.42)
            let low = height + between(0.1, 0.16)
            plate(
                [0, 0, 0], right: [0, 0, -1], up: [0, 1, 0],
                corners: [
                    [-foot + 0.015, low], [-foot + boom, low + 0.02], [-foot + 0.05, height + mast * 0.95],
                    [-foot + 0.015, height + mast * 0.95],
                ], depth: 0.044)
            rod(from: [0, low, foot], to: [0, low, foot - boom - 0.02], 0.023)
            if chance(0.5) {
                plate(
                    .zero, right: [0, 0, 1], up: [0, 1, 0],
                    corners: [
                        [foot + 0.02, height + mast * 0.8], [foot + 0.07, height + mast * 0.8],
                        [length - 0.02, height + 0.06], [foot + 0.06, height + 0.08],
                    ], depth: 0.042)
            }
            return
        }
        var top = height
        var half = Vector3f(beam * between(0.6, 0.75), between(0.06, 0.1), length * between(0.35, 0.5))
        let shift = between(-0.15, 0)
        for _ in 0..<whole(1...3) {
            box([0, top + half.y, shift], half: half, round: 0.015)
            top += 2 * half.y
            half *= [0.8, 0.9, between(0.6, 0.8)]
        }
        let funnels = whole(1...3)
        for index in 0..<funnels {
            let z = shift + 0.13 * (Float(index) - Float(funnels - 1) / 2)
            let lean = Vector3f(0, between(0.12, 0.2), -0.03)
            cylinder(from: [0, top - 0.1, z], to: Vector3f(0, top, z) + lean, between(0.032, 0.045), round: 0.01)
        }
        if chance(0.5) { rod(from: [0, height, length * 0.55], to: [0, height + 0.3, length * 0.55], 0.022) }
    }

    /// A body, a cabin, four wheels, and what makes it a van, a truck, a sports car. The front is at +z.
    mutating func car() {
        let length = between(0.42, 0.5)
        let width = between(0.18, 0.23)
        let wheel = between(0.08, 0.105)
        let height = between(0.07, 0.1)
        let base = wheel * 0.75 + height
        blend = 0.02
        box([0, base, 0], half: [width, height, length], round: between(0.02, 0.05))
        blend = between(0, 0.02)
        let roof = base + height + between(0.12, 0.2)
        let deck = base + height - 0.015
        switch whole(0...3) {
        case 0:
            cabin(
                from: -length * between(0.6, 0.8), to: length * between(0.25, 0.45), deck: deck, roof: roof,
                width: width - 0.02, slope: (0.1, 0.15))
        case 1:
            cabin(
                from: -length * 0.95, to: length * between(0.4, 0.6), deck: deck, roof: roof + 0.06,
                width: width - 0.01, slope: (0.02, 0.15))
        case 2:
            cabin(
                from: length * between(-0.05, 0.1), to: length * 0.75, deck: deck, roof: roof, width: width - 0.02,
                slope: (0.03, 0.12))
            cuts = true
            box([0, base + height, -length * 0.5], half: [width - 0.045, height * 0.9, length * 0.42], round: 0.01)
            cuts = false
        default:
            cabin(
                from: -length * 0.55, to: length * 0.2, deck: deck, roof: roof - 0.04, width: width - 0.03,
                slope: (0.15, 0.18))
            let tall = between(0.08, 0.13)
            for side: Float in [-1, 1] {
                box(
                    [side * width * 0.7, base + height + tall / 2, -length * 0.9],
                    half: [0.023, tall / 2 + 0.01, 0.03], round: 0.005)
            }
            box([0, base + height + tall, -length * 0.9], half: [width, 0.023, 0.055], round: 0.008)
        }
        blend = 0
        let thick = between(0.05, 0.065)
        let (front, back) = (length * between(0.55, 0.65), length * between(0.55, 0.65))
        for (side, z): (Float, Float) in [(-1, front), (1, front), (-1, -back), (1, -back)] {
            cuts = true
            cylinder(from: [side * (width - thick), wheel, z], to: [side * (width + 0.05), wheel, z], wheel + 0.022)
            cuts = false
            cylinder(
                from: [side * (width - thick - 0.02), wheel, z], to: [side * (width + 0.012), wheel, z], wheel,
                round: 0.02)
        }
        if chance(0.4) {
            box([0, base - height * 0.4, length + 0.005], half: [width * 0.9, 0.026, 0.025], round: 0.01)
        }
    }

    private mutating func cabin(
        from back: Float, to front: Float, deck: Float, roof: Float, width: Float, slope: (Float, Float)
    ) {
        plate(
            .zero, right: [0, 0, 1], up: [0, 1, 0],
            corners: [[back, deck], [back + slope.0, roof], [front - slope.1, roof], [front, deck]], depth: 2 * width,
            round: 0.025)
    }

    /// A body with a pointed or round nose, fins, a nozzle, boosters or a window.
    mutating func rocket() {
        let length = between(0.6, 0.85)
        let radius = between(0.09, 0.14)
        let nose = between(0.16, 0.3)
        if chance(0.5) {
            cylinder(from: [0, 0.08, 0], to: [0, length, 0], radius)
            cone(from: [0, length - 0.01, 0], to: [0, length + nose, 0], radius, 0.012, round: 0.01)
        } else {
            ellipsoid([0, length * 0.5, 0], radii: [radius * 1.25, length * 0.55, radius * 1.25])
            cuts = true
            box([0, -0.06, 0], half: [0.3, 0.12, 0.3])
            cuts = false
            cone(from: [0, length * 0.9, 0], to: [0, length + nose * 0.6, 0], radius * 0.65, 0.012, round: 0.01)
        }
        cone(from: .zero, to: [0, 0.12, 0], radius * between(0.7, 0.95), radius * 0.55)
        let fins = whole(3...4)
        let (reach, tall) = (between(0.14, 0.22), between(0.2, 0.32))
        let drop = between(-0.02, 0.1)
        for index in 0..<fins {
            let angle = 2 * Float.pi * (Float(index) + 0.25) / Float(fins)
            let direction = Vector3f(cosf(angle), 0, sinf(angle))
            plate(
                [0, 0.08, 0], right: direction, up: [0, 1, 0],
                corners: [
                    [radius * 0.7, tall], [radius + reach, tall * 0.35 - drop], [radius + reach, -drop],
                    [radius * 0.7, 0.02],
                ], depth: 0.046, round: 0.01)
        }
        if chance(0.3) {
            let side = radius * 0.6
            for index in 0..<2 {
                let x = (Float(index) * 2 - 1) * (radius + side * 0.9)
                rod(from: [x, 0.07, 0], to: [x, length * 0.5, 0], side)
                cone(from: [x, length * 0.5, 0], to: [x, length * 0.5 + 0.14, 0], side, 0.015)
            }
        } else if chance(0.5) {
            torus(
                [0, length * between(0.55, 0.7), radius * 1.02], axis: [0, 0, 1], radius: radius * 0.45, tube: 0.023)
        }
        if chance(0.4) { torus([0, length * between(0.3, 0.9), 0], axis: [0, 1, 0], radius: radius, tube: 0.025) }
    }
}
