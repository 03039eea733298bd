import SSDFCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension ShapeBuilder {
    /// A body on four legs with neck, head, ears and tail; horns or none. The head looks to +z.
    mutating func quadruped() {
        let length = between(0.2, 0.3)
        let leg = between(0.2, 0.4)
        let (girth, width) = (between(0.1, 0.16), between(0.09, 0.14))
        let middle = leg + girth * 0.7
        ellipsoid([0, middle, 0], radii: [width, girth, length + 0.06])
        blend = 0.05
        let thick = between(0.034, 0.05)
        for (side, end): (Float, Float) in [(-1, 1), (1, 1), (-1, -1), (1, -1)] {
            let hip = Vector3f(side * width * 0.6, middle - girth * 0.3, end * length * 0.75)
            let swing = between(-0.06, 0.06)
            let knee = hip + [0, -(middle - girth * 0.3) * 0.5, swing - end * 0.015]
            let foot = Vector3f(hip.x * 1.1, thick * 0.9, hip.z + swing * 1.5)
            rod(from: hip, to: knee, thick * 1.35, thick)
            blend = 0.02
            rod(from: knee, to: foot, thick, thick * 0.85)
            if chance(0.5) { ellipsoid(foot + [0, -0.01, 0.02], radii: [thick, thick * 0.8, thick * 1.4]) }
            blend = 0.05
        }
        let neck = Vector3f(0, between(0.08, 0.3), between(0.08, 0.16))
        let chest = Vector3f(0, middle + girth * 0.3, length * 0.75)
        let head = chest + neck
        rod(from: chest, to: head, girth * 0.62, between(0.05, 0.07))
        let size = between(0.07, 0.1)
        blend = 0.03
        ellipsoid(head + [0, 0.01, 0.03], radii: [size * 0.85, size * 0.85, size * 1.1])
        let snout = between(0.06, 0.13)
        rod(from: head + [0, -0.01, 0.04], to: head + [0, -0.035, 0.05 + snout], size * 0.6, size * 0.42)
        blend = 0.015
        let ear = between(0.05, 0.12)
        let flop = between(-0.5, 1)
        for side: Float in [-1, 1] {
            let root = head + [side * size * 0.55, size * 0.6, 0]
            rod(from: root, to: root + Vector3f(side * 0.5, flop, -0.1).normalized * ear, 0.03, 0.022)
            if ear < 0.075, chance(0.3) {
                rod(from: root + [0, 0, 0.02], to: root + [side * 0.06, 0.12, 0.02], 0.026, 0.021)
            }
        }
        blend = 0.03
        let tail = Vector3f(0, between(-0.2, 0.2), -between(0.12, 0.22))
        let rump = Vector3f(0, middle + girth * 0.4, -length - 0.01)
        rod(from: rump, to: rump + tail, 0.034, 0.024)
        blend = 0
    }

    /// A figure with head, trunk, jointed arms and legs in a random pose; hat, skirt or neither.
    mutating func person() {
        let leg = between(0.36, 0.46)
        let trunk = between(0.25, 0.32)
        let (shoulder, hip) = (between(0.11, 0.16), between(0.07, 0.1))
        let depth = between(0.065, 0.09)
        let thick = between(0.036, 0.05)
        let neck = leg + trunk
        box([0, leg + trunk * 0.55, 0], half: [(shoulder + hip) / 2, trunk * 0.42, depth], round: 0.05)
        blend = 0.05
        ellipsoid([0, neck - 0.06, 0], radii: [shoulder, 0.07, depth])
        ellipsoid([0, leg + 0.02, 0], radii: [hip + 0.03, 0.08, depth])
        for side: Float in [-1, 1] {
            let stride = between(-0.5, 0.5)
            let spread = between(0.02, 0.22)
            let joint = Vector3f(side * hip * 0.75, leg, 0)
            let aim = Vector3f(side * spread, -1, stride).normalized
            let knee = joint + aim * (leg * 0.5)
            let shin = Vector3f(aim.x * 0.7, aim.y, aim.z - between(0, 0.4)).normalized
            let ankle = knee + shin * (leg * 0.46)
            blend = 0.04
            rod(from: joint, to: knee, thick * 1.25, thick)
            blend = 0.015
            rod(from: knee, to: ankle, thick, thick * 0.78)
            rod(from: ankle, to: ankle + [side * 0.01, -0.01, 0.08], thick * 0.75, thick * 0.65)
        }
        for side: Float in [-1, 1] {
            let joint = Vector3f(side * (shoulder - 0.01), neck - 0.05, 0)
            let raise = between(-1, 0.7)
            let aim = Vector3f(side * between(0.25, 1), raise, between(-0.4, 0.5)).normalized
            let elbow = joint + aim * between(0.15, 0.18)
            let fore = Vector3f(aim.x * between(0.1, 1), aim.y + between(-0.3, 0.9), aim.z + between(0, 0.9)).normalized
            let wrist = elbow + fore * between(0.14, 0.17)
            blend = 0.04
            rod(from: joint, to: elbow, thick * 0.95, thick * 0.8)
            blend = 0.01
            rod(from: elbow, to: wrist, thick * 0.8, thick * 0.65)
            ball(wrist + fore * 0.02, thick * 0.85)
        }
        blend = 0.02
        rod(from: [0, neck - 0.03, 0], to: [0, neck + 0.06, 0], 0.04)
        let head = between(0.085, 0.115)
        ellipsoid([0, neck + 0.04 + head, 0.01], radii: [head * 0.85, head, head * 0.92])
        blend = 0
        let crown = neck + 0.04 + head * 1.55
        if chance(0.3) {
            cylinder(from: [0, crown, 0], to: [0, crown + 0.045, 0], head * between(1.2, 1.6), round: 0.015)
            cylinder(from: [0, crown, 0], to: [0, crown + between(0.1, 0.16), 0], head * 0.8, round: 0.02)
        }
        if chance(0.3) {
            cone(from: [0, leg - between(0.1, 0.2), 0], to: [0, leg + 0.08, 0], hip + between(0.08, 0.14), hip + 0.01)
        }
    }
}
