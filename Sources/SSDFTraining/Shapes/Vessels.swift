import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension ShapeBuilder {
    /// A hollow cup, straight or conical, with a ring or a bent handle.
    mutating func mug() {
        let height = between(0.4, 0.65)
        let (low, high) = (between(0.2, 0.28), between(0.22, 0.32))
        let wall = between(0.035, 0.05)
        // The handle first, so that the cavity cuts what reaches into it.
        let middle = height * between(0.45, 0.58)
        let reach = (low + high) / 2
        if chance(0.6) {
            torus(
                [reach + between(0, 0.03), middle, 0], axis: [0, 0, 1], radius: height * between(0.24, 0.32),
                tube: between(0.026, 0.04))
        } else {
            let (top, bottom) = (height * 0.82, height * between(0.2, 0.35))
            let out = reach + between(0.12, 0.2)
            rod(from: [reach - 0.03, top, 0], to: [out, top - 0.02, 0], 0.032)
            rod(from: [out, top - 0.02, 0], to: [out - 0.02, bottom + 0.03, 0], 0.032)
            rod(from: [out - 0.02, bottom + 0.03, 0], to: [low - 0.03, bottom, 0], 0.032)
        }
        blend = between(0, 0.03)
        cone(from: .zero, to: [0, height, 0], low, high, round: between(0.006, 0.018))
        blend = 0
        cuts = true
        cone(from: [0, wall * 1.2, 0], to: [0, height + 0.1, 0], low - wall, high - wall + 0.01, round: 0.015)
        cuts = false
    }

    /// Body, shoulder, neck and cap.
    mutating func bottle() {
        let body = between(0.4, 0.6)
        let radius = between(0.12, 0.2)
        let shoulder = between(0.08, 0.2)
        let neck = between(0.035, 0.06)
        let top = body + shoulder + between(0.1, 0.22)
        if chance(0.7) {
            lathe(
                [(0, radius), (body, radius), (body + shoulder, neck), (top, neck)], blend: between(0.03, 0.09))
        } else {
            box([0, body / 2, 0], half: [radius, body / 2, radius * between(0.6, 1)], round: between(0.02, 0.05))
            blend = between(0.04, 0.1)
            cone(from: [0, body - 0.03, 0], to: [0, body + shoulder, 0], radius * 0.6, neck)
            cylinder(from: [0, body, 0], to: [0, top, 0], neck)
        }
        blend = 0
        if chance(0.6) {
            cylinder(
                from: [0, top - between(0.05, 0.08), 0], to: [0, top + 0.02, 0], neck * between(1.2, 1.5), round: 0.012)
        } else {
            torus([0, top - 0.02, 0], axis: [0, 1, 0], radius: neck, tube: 0.022)
            cuts = true
            cylinder(from: [0, top - 0.12, 0], to: [0, top + 0.1, 0], max(neck - 0.024, 0.012))
            cuts = false
        }
        guard chance(0.3) else { return }
        cuts = true
        torus([0, body * between(0.4, 0.6), 0], axis: [0, 1, 0], radius: radius + 0.012, tube: between(0.025, 0.04))
        cuts = false
    }

    /// A hollow body of three or four turned sections, with two handles or none.
    mutating func vase() {
        let height = between(0.6, 0.9)
        let foot = between(0.09, 0.16)
        let belly = between(0.17, 0.3)
        let neck = between(0.07, 0.14)
        let lip = neck + between(0.02, 0.1)
        let (a, b) = (between(0.25, 0.45) * height, between(0.62, 0.8) * height)
        if chance(0.35) {
            for side: Float in [-1, 1] {
                torus([side * (neck + 0.05), b, 0], axis: [0, 0, 1], radius: between(0.09, 0.12), tube: 0.028)
            }
        }
        let profile = [(Float(0), foot), (a, belly), (b, neck), (height, lip)]
        lathe(profile.map { (height: $0.0, radius: $0.1) }, blend: 0.1)
        if chance(0.4) { cylinder(from: .zero, to: [0, 0.05, 0], foot * 1.3, round: 0.015) }
        cuts = true
        let wall: Float = 0.045
        cone(from: [0, a, 0], to: [0, b, 0], belly - 1.6 * wall, neck - wall, round: 0.01)
        cone(from: [0, b - 0.02, 0], to: [0, height + 0.05, 0], neck - wall, lip - wall + 0.012, round: 0.004)
        cone(from: [0, wall * 1.5, 0], to: [0, a + 0.01, 0], foot - 0.8 * wall, belly - 1.6 * wall, round: 0.01)
        cuts = false
    }

    /// A stem and a cap with a rim, spots or none, and small ones beside it.
    mutating func mushroom() {
        let count = chance(0.35) ? whole(2...3) : 1
        for index in 0..<count {
            let scale: Float = index == 0 ? 1 : between(0.45, 0.65)
            let angle = between(0, 2 * .pi)
            let away: Float = index == 0 ? 0 : between(0.25, 0.32)
            let foot = Vector3f(cosf(angle) * away, 0, sinf(angle) * away)
            let height = between(0.35, 0.6) * scale
            let lean = Vector3f(between(-0.06, 0.06), height, between(-0.06, 0.06))
            let radius = between(0.06, 0.11) * scale
            blend = index == 0 ? 0 : 0.03
            cone(from: foot, to: foot + lean, radius * between(1, 1.5), radius)
            let cap = between(0.22, 0.36) * scale
            blend = 0.02
            if chance(0.6) {
                ellipsoid(foot + lean, radii: [cap, cap * between(0.5, 0.8), cap])
                cuts = true
                let cut = cap * 0.9
                box(foot + lean - [0, cut + 0.02, 0], half: [cap * 1.1, cut, cap * 1.1])
                cuts = false
                blend = 0.03
                cone(from: foot, to: foot + lean + [0, 0.02, 0], radius * 1.2, radius)
            } else {
                cone(
                    from: foot + lean - [0, 0.03, 0], to: foot + lean + [0, cap * between(0.5, 1), 0], cap, 0.03,
                    round: 0.02)
            }
        }
        blend = 0
    }

    /// A trunk with branches and one of three crowns.
    mutating func tree() {
        let height = between(0.3, 0.5)
        let radius = between(0.045, 0.075)
        blend = 0.04
        cone(from: .zero, to: [0, height + 0.15, 0], radius * between(1.1, 1.6), radius * 0.8)
        blend = between(0, 0.04)
        switch whole(0...2) {
        case 0:
            let levels = whole(2...4)
            var base = height
            var wide = between(0.26, 0.36)
            let tall = between(0.26, 0.34)
            for _ in 0..<levels {
                cone(from: [0, base, 0], to: [0, base + tall, 0], wide, 0.02, round: 0.015)
                base += tall * 0.6
                wide *= 0.78
            }
        case 1:
            for index in 0..<whole(3...6) {
                let angle = Float(index) * 2.4 + between(0, 0.6)
                let away: Float = index == 0 ? 0 : between(0.12, 0.2)
                let center = Vector3f(cosf(angle) * away, height + between(0.15, 0.42), sinf(angle) * away)
                ellipsoid(center, radii: Vector3f(repeating: between(0.15, 0.22)) * [1, between(0.75, 1), 1])
            }
        default:
            for index in 0..<whole(3...5) {
                let angle = Float(index) * 2.4 + between(0, 0.6)
                let from = Vector3f(0, height * between(0.6, 1.1), 0)
                let tip =
                    from + [cosf(angle) * between(0.18, 0.3), between(0.15, 0.3), sinf(angle) * between(0.18, 0.3)]
                rod(from: from, to: tip, 0.035, 0.024)
                ball(tip, between(0.08, 0.14))
            }
            ball([0, height + between(0.25, 0.35), 0], between(0.12, 0.18))
        }
        blend = 0
    }
}
