import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension ShapeBuilder {
    /// A round or square shaft with battlements or a roof, a gate, windows, a base.
    mutating func tower() {
        let height = between(0.65, 0.9)
        let radius = between(0.15, 0.22)
        let isRound = chance(0.6)
        let taper = between(0.8, 1)
        if isRound {
            cone(from: .zero, to: [0, height, 0], radius, radius * taper)
        } else {
            box([0, height / 2, 0], half: [radius, height / 2, radius], round: 0.008)
        }
        if chance(0.6) {
            if isRound {
                cone(from: .zero, to: [0, between(0.07, 0.14), 0], radius * 1.3, radius * 1.12)
            } else {
                box([0, 0.05, 0], half: [radius * 1.25, 0.05, radius * 1.25], round: 0.01)
            }
        }
        let head = radius * (isRound ? taper : 1)
        let rim = head + between(0.025, 0.05)
        if isRound {
            cylinder(from: [0, height - 0.05, 0], to: [0, height + 0.05, 0], rim)
        } else {
            box([0, height, 0], half: [rim, 0.05, rim], round: 0.008)
        }
        if chance(0.5) {
            let tall = between(0.2, 0.4)
            if isRound {
                cone(from: [0, height + 0.04, 0], to: [0, height + tall, 0], rim + 0.03, 0.015)
            } else {
                for turn: Float in [0, .pi / 2] {
                    plate(
                        [0, height + 0.04, 0], right: [cosf(turn), 0, sinf(turn)], up: [0, 1, 0],
                        corners: [[-rim, 0], [-0.02, tall], [0.02, tall], [rim, 0]],
                        depth: turn == 0 ? 2 * rim : 2 * rim)
                    if chance(0.5) { break }
                }
            }
            if chance(0.5) { rod(from: [0, height + tall - 0.05, 0], to: [0, height + tall + 0.12, 0], 0.023) }
        } else {
            let teeth = isRound ? whole(6...8) : 8
            for index in 0..<teeth {
                let angle = 2 * Float.pi * Float(index) / Float(teeth)
                var place = Vector3f(cosf(angle), 0, sinf(angle)) * (rim - 0.028)
                if !isRound { place *= 1 / max(abs(cosf(angle)), abs(sinf(angle))) }
                box(
                    place + [0, height + 0.08, 0], half: [0.034, 0.055, 0.034], round: 0.006,
                    frame: Self.frame(turned: -angle, about: [0, 1, 0]))
            }
            cuts = true
            cylinder(from: [0, height + 0.01, 0], to: [0, height + 0.3, 0], rim - 0.06)
            cuts = false
        }
        cuts = true
        let gate = between(0.05, 0.07)
        let tall = between(0.1, 0.16)
        box([0, tall / 2, radius * 1.1], half: [gate, tall / 2 + 0.03, radius * 0.45], round: 0.004)
        cylinder(from: [0, tall + 0.02, radius * 0.65], to: [0, tall + 0.02, radius * 1.6], gate)
        for index in 0..<whole(0...3) {
            let y = height * (0.4 + 0.18 * Float(index))
            box([0, y, radius], half: [0.028, 0.045, 0.07], round: 0.004)
        }
        cuts = false
    }

    /// Walls with a gable, hip or flat roof, a chimney, a door, windows, an annexe or a porch.
    mutating func house() {
        let (width, depth) = (between(0.28, 0.45), between(0.24, 0.38))
        let wall = between(0.24, 0.45)
        box([0, wall / 2, 0], half: [width, wall / 2, depth], round: 0.004)
        let over = between(0.03, 0.06)
        let tall = between(0.18, 0.34)
        if chance(0.35) {
            let (w, d, h) = (width * between(0.4, 0.6), depth * between(0.6, 0.8), wall * between(0.55, 0.8))
            let side: Float = chance(0.5) ? 1 : -1
            box([side * (width + w - 0.02), h / 2, 0], half: [w, h / 2, d], round: 0.004)
            plate(
                [side * (width + w - 0.02), h, 0], right: [0, 0, -1], up: [0, 1, 0],
                corners: [[-d - 0.03, 0], [-0.015, tall * 0.6], [0.015, tall * 0.6], [d + 0.03, 0]], depth: 2 * w + 0.04
            )
        }
        switch whole(0...2) {
        case 0:
            plate(
                [0, wall - 0.01, 0], right: [1, 0, 0], up: [0, 1, 0],
                corners: [[-width - over, 0], [-0.015, tall], [0.015, tall], [width + over, 0]],
                depth: 2 * (depth + over))
        case 1:
            plate(
                [0, wall - 0.01, 0], right: [0, 0, -1], up: [0, 1, 0],
                corners: [[-depth - over, 0], [-0.015, tall], [0.015, tall], [depth + over, 0]],
                depth: 2 * (width + over))
        default:
            box([0, wall + 0.02, 0], half: [width + over, 0.032, depth + over], round: 0.006)
            if chance(0.6) {
                box([between(-0.1, 0.1), wall + 0.12, 0], half: [width * 0.5, 0.1, depth * 0.6], round: 0.006)
            }
        }
        if chance(0.7) {
            let x = width * between(0.35, 0.7) * (chance(0.5) ? 1 : -1)
            let top = wall + tall + between(0, 0.08)
            box(
                [x, (wall + top) / 2 - 0.05, -depth * 0.3], half: [0.045, (top - wall) / 2 + 0.05, 0.045], round: 0.005)
        }
        let door = width * between(-0.4, 0.4)
        if chance(0.4) {
            let reach = between(0.1, 0.16)
            box([door, wall * 0.7, depth + reach / 2], half: [0.12, 0.024, reach / 2 + 0.02], round: 0.005)
            for side: Float in [-1, 1] {
                rod(
                    from: [door + side * 0.095, 0.022, depth + reach - 0.03],
                    to: [door + side * 0.095, wall * 0.7, depth + reach - 0.03], 0.023)
            }
        }
        cuts = true
        box([door, wall * 0.25, depth], half: [0.055, wall * 0.27, 0.045], round: 0.004)
        for x in [-width * 0.6, width * 0.6] where abs(x - door) > 0.14 {
            box([x, wall * 0.6, depth], half: [0.055, 0.05, 0.04], round: 0.004)
        }
        for side: Float in [-1, 1] where chance(0.6) {
            box([side * width, wall * 0.6, between(-0.1, 0.1)], half: [0.04, 0.05, 0.06], round: 0.004)
        }
        cuts = false
    }

    /// A wheel with teeth, a bore, and spokes, holes or a solid web; lying or standing.
    mutating func gear() {
        let radius = between(0.3, 0.42)
        let half = between(0.05, 0.11)
        let teeth = whole(8...16)
        let tall = between(0.06, 0.1)
        let pitch = 2 * Float.pi * radius / Float(teeth)
        cylinder(from: [0, 0, -half], to: [0, 0, half], radius)
        let (foot, tip) = (pitch * between(0.27, 0.34), pitch * between(0.14, 0.22))
        let spin = between(0, 1)
        for index in 0..<teeth {
            let angle = 2 * Float.pi * (Float(index) + spin) / Float(teeth)
            let out = Vector3f(cosf(angle), sinf(angle), 0)
            plate(
                .zero, right: Vector3f(out.y, -out.x, 0), up: out,
                corners: [
                    [-foot, radius - 0.03], [-tip, radius + tall], [tip, radius + tall], [foot, radius - 0.03],
                ],
                depth: 2 * half, round: 0.005)
        }
        let hub = radius * between(0.25, 0.38)
        switch whole(0...2) {
        case 0:
            cuts = true
            for side: Float in [-1, 1] where half > 0.07 {
                cylinder(from: [0, 0, side * (half * 0.45)], to: [0, 0, side * (half + 0.1)], radius - 0.06)
            }
            cuts = false
        case 1:
            cuts = true
            let holes = whole(4...6)
            let middle = (hub + radius) / 2
            let size = min((radius - hub) * 0.32, middle * sinf(.pi / Float(holes)) - 0.024)
            for index in 0..<holes {
                let angle = 2 * Float.pi * Float(index) / Float(holes)
                let place = Vector3f(cosf(angle) * middle, sinf(angle) * middle, 0)
                cylinder(from: place - [0, 0, 0.3], to: place + [0, 0, 0.3], max(size, 0.02))
            }
            cuts = false
        default: break
        }
        cylinder(from: [0, 0, -half - between(0, 0.06)], to: [0, 0, half + between(0, 0.06)], hub)
        cuts = true
        cylinder(from: [0, 0, -0.5], to: [0, 0, 0.5], hub * between(0.45, 0.65))
        if chance(0.5) { box([0, hub * 0.55, 0], half: [0.03, hub * 0.25, 0.5], round: 0.003) }
        cuts = false
        guard chance(0.35) else { return }
        lieDown()
    }

    /// A blade, a guard, a grip and a pommel; standing on its tip or lying.
    mutating func sword() {
        let blade = between(0.55, 0.8)
        let (root, tip) = (between(0.045, 0.075), between(0.03, 0.05))
        let thick = between(0.045, 0.055)
        let point = between(0.08, 0.16)
        plate(
            .zero, right: [1, 0, 0], up: [0, 1, 0],
            corners: [[-root, 0], [-tip, -blade], [tip, -blade], [root, 0]], depth: thick)
        plate(
            .zero, right: [1, 0, 0], up: [0, 1, 0],
            corners: [
                [-tip, -blade + 0.01], [-0.005, -blade - point], [0.005, -blade - point], [tip, -blade + 0.01],
            ],
            depth: thick)
        let guardHalf = between(0.12, 0.2)
        switch whole(0...2) {
        case 0: box([0, 0.02, 0], half: [guardHalf, 0.03, 0.04], round: 0.012)
        case 1:
            for side: Float in [-1, 1] {
                rod(from: [0, 0.02, 0], to: [side * guardHalf, between(-0.04, 0.07), 0], 0.04, 0.028)
            }
        default: ellipsoid([0, 0.02, 0], radii: [guardHalf * 0.8, 0.032, guardHalf * 0.6])
        }
        let grip = between(0.16, 0.24)
        cylinder(from: [0, 0.02, 0], to: [0, grip, 0], between(0.026, 0.036))
        if chance(0.7) {
            ball([0, grip + 0.03, 0], between(0.042, 0.06))
        } else {
            cylinder(from: [0, grip + 0.03, -0.03], to: [0, grip + 0.03, 0.03], 0.055, round: 0.015)
        }
        if chance(0.35) { lieDown() }
    }

    /// A handle and a head: a mallet, a claw hammer, a sledge, an axe-like wedge.
    mutating func hammer() {
        let length = between(0.55, 0.8)
        let radius = between(0.028, 0.04)
        blend = 0.01
        cone(from: [0, 0, 0], to: [0, length, 0], radius * between(1, 1.35), radius)
        blend = 0.015
        let head = between(0.13, 0.2)
        let thick = between(0.055, 0.09)
        let top = length - 0.02
        switch whole(0...3) {
        case 0: cylinder(from: [-head, top, 0], to: [head, top, 0], thick * 1.2, round: 0.02)
        case 1: box([0, top, 0], half: [head, thick, thick], round: 0.015)
        case 2:
            cylinder(from: [0.02, top, 0], to: [head, top, 0], thick * 0.7)
            cylinder(from: [head * 0.75, top, 0], to: [head + 0.02, top, 0], thick, round: 0.012)
            box([0, top, 0], half: [0.05, thick * 0.8, thick * 0.8], round: 0.01)
            for side: Float in [-1, 1] {
                rod(from: [-0.03, top, side * 0.03], to: [-head * 0.6, top - 0.01, side * 0.045], 0.034, 0.03)
                rod(
                    from: [-head * 0.6, top - 0.01, side * 0.045],
                    to: [-head - 0.03, top - between(0.06, 0.1), side * 0.05], 0.03, 0.023)
            }
        default:
            box([0.03, top, 0], half: [head * 0.7, thick, thick * 0.8], round: 0.01)
            plate(
                .zero, right: [0, 0, 1], up: [0, 1, 0],
                corners: [[-0.03, top - 0.05], [-0.03, top + 0.05], [0.03, top + 0.05], [0.03, top - 0.05]],
                depth: 2 * head * 0.9)
            plate(
                .zero, right: [1, 0, 0], up: [0, 1, 0],
                corners: [
                    [-head * 0.5, top - thick], [-head * 0.5, top + thick], [-head * 1.25, top + thick * 1.5],
                    [-head * 1.25, top - thick * 1.5],
                ],
                depth: 0.05)
        }
        blend = 0
        if chance(0.4) { lieDown() }
    }
}
