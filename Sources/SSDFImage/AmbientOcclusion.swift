import SSDFCore

/// How much of the sky each pixel sees, from what stands around it in the picture.
///
/// In several directions the picture is walked outwards, and the highest that anything near rises above the tangent
/// plane is what is hidden there.
///
/// Source: Bavoil, Sainz, Dimitrov, "Image-space horizon-based ambient occlusion", 2008; the walk and the fall-off
/// are simpler here.
///
/// - Parameters:
///   - surface: `[height, width]`.
///   - pixelsPerRadius: pixels that one bounding-sphere radius takes.
/// - Returns: `[height, width]`, 1 where all is seen.
func ambientOcclusion(
    of surface: [SurfacePoint], width: Int, height: Int, pixelsPerRadius: Float, threads: Int
) -> [Float] {
    // In bounding-sphere radii.
    let reach: Float = 0.35
    let walks = walkTable(length: reach * pixelsPerRadius)
    let rough = surface.withUnsafeBufferPointer { surface in
        walks.withUnsafeBufferPointer { walks in
            let scene = Unchecked((surface, walks))
            return parallelRows(width: width, height: height, threads: threads) { x, y in
                let (surface, walks) = scene.value
                let here = surface[y &* width &+ x]
                guard here.isSeen else { return 1 as Float }
                var hidden: Float = 0
                var place = (y & 3) << 2 | (x & 3)
                place = place &* directions &* steps
                for _ in 0..<directions {
                    var highest: Float = 0
                    for step in place..<place &+ steps {
                        let sx = x &+ Int(walks[step].x)
                        let sy = y &+ Int(walks[step].y)
                        guard sx >= 0, sx < width, sy >= 0, sy < height else { break }
                        // Nothing is seen at minus infinity, which is too far to hide anything.
                        let v = surface[sy &* width &+ sx].position - here.position
                        let squared = v.lengthSquared
                        guard squared > 1e-12, squared < reach * reach else { continue }
                        let fade = 1 - squared / (reach * reach)
                        // Rises of less than about six degrees are the surface's own curvature and noise.
                        highest = max(highest, (here.normal.dot(v) / squared.squareRoot() - 0.1) * fade)
                    }
                    hidden += highest
                    place &+= steps
                }
                return max(0, 1 - 1.15 * hidden / Float(directions))
            }
        }
    }
    return smoothed(rough, surface: surface, width: width, height: height, threads: threads)
}

/// Directions walked from a pixel, and steps in each.
private let directions = 8
private let steps = 6

/// Pixels to look at: for each of 4×4 pixels `[16]`, in each direction, every step `[directions, steps]`. Steps widen
/// outwards, and neighbouring pixels look in turned directions.
private func walkTable(length: Float) -> [SIMD2<Int32>] {
    var table: [SIMD2<Int32>] = []
    for pixel in 0..<16 {
        let turn = hashedAngle(pixel & 3, pixel >> 2)
        for direction in 0..<directions {
            let angle = 2 * Double.pi * Double(direction) / Double(directions)
            let axis = SIMD2(Float(cosine(angle)), Float(sine(angle)))
            let turned = SIMD2(axis.x * turn.x - axis.y * turn.y, axis.x * turn.y + axis.y * turn.x)
            for step in 1...steps {
                let share = Float(step) / Float(steps)
                let offset = turned * (share * share * length + 1)
                table.append(SIMD2<Int32>(clamping: SIMD2<Int64>(offset.rounded(.toNearestOrEven))))
            }
        }
    }
    return table
}

/// Averages 4×4 neighbours on the same surface: the directions repeat with that period.
private func smoothed(
    _ values: [Float], surface: [SurfacePoint], width: Int, height: Int, threads: Int
) -> [Float] {
    parallelRows(width: width, height: height, threads: threads) { x, y in
        guard surface[y * width + x].isSeen else { return 1 }
        let z = surface[y * width + x].position.z
        var sum: Float = 0
        var weight: Float = 0
        for sy in max(0, y - 2)...min(height - 1, y + 1) {
            for sx in max(0, x - 2)...min(width - 1, x + 1) {
                guard abs(surface[sy * width + sx].position.z - z) < 0.02 else { continue }
                sum += values[sy * width + sx]
                weight += 1
            }
        }
        return weight > 0 ? sum / weight : values[y * width + x]
    }
}

/// `[height, width]` of what `body` gives at each (x, y).
func parallelRows<Value: BitwiseCopyable>(
    width: Int, height: Int, threads: Int, _ body: @Sendable (_ x: Int, _ y: Int) -> Value
) -> [Value] {
    [Value](filling: width * height) { target in
        let target = Unchecked(target)
        parallelFor(height, threads: threads, grain: 4) { range in
            for y in range { for x in 0..<width { target.value[y * width + x] = body(x, y) } }
        }
    }
}

/// A rotation as (cosine, sine) that looks random from one place to the next and is the same in every run.
func hashedAngle(_ x: Int, _ y: Int) -> SIMD2<Float> {
    var h = UInt32(truncatingIfNeeded: x) &* 0x9E37_79B1 ^ UInt32(truncatingIfNeeded: y) &* 0x85EB_CA77
    h ^= h >> 15
    h = h &* 0x2C1B_3C6D
    h ^= h >> 13
    return unitCircle[Int(h >> 24)]
}

/// 256 directions round the circle.
private let unitCircle: [SIMD2<Float>] = (0..<256).map { i in
    let angle = Double(i) * .pi / 128
    return SIMD2(Float(cosine(angle)), Float(sine(angle)))
}
