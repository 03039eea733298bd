import CSSDFKernels
import SSDFCore
import SSDFVolume

/// A solid made of primitives that are united, blended and subtracted one after the other: a list of numbers that is
/// evaluated where it is needed.
package struct Shape: Sendable, Equatable {
    /// The primitives, in the layout of `ssdf_shapes.h`.
    package private(set) var numbers: [Float]

    static let width = Int(SSDF_PRIMITIVE_FLOATS)

    /// The shape of primitives in that layout; empty by default.
    package init(numbers: [Float] = []) {
        precondition(numbers.count % Self.width == 0, "a primitive has \(Self.width) numbers")
        self.numbers = numbers
    }

    /// Number of primitives.
    package var primitiveCount: Int { numbers.count / Self.width }

    mutating func append(_ primitive: [Float]) {
        precondition(primitive.count == Self.width)
        numbers += primitive
    }

    /// Signed distances at points, in the shape's units, negative inside. Near blends and far inside they are bounds.
    /// - Complexity: O(points · primitives).
    package func distances(
        x: UnsafePointer<Float>, y: UnsafePointer<Float>, z: UnsafePointer<Float>,
        into distances: UnsafeMutablePointer<Float>, count: Int
    ) {
        numbers.withUnsafeBufferPointer { list in
            guard let base = list.baseAddress else {
                distances.update(repeating: 1e9, count: count)
                return
            }
            ssdf_shape_distances(base, primitiveCount, x, y, z, distances, count)
        }
    }

    /// The shape after a rotation (rows of the matrix), a translation, and a scaling, in this order.
    package func transformed(rotation: [Vector3f], translation: Vector3f = .zero, scale: Float = 1) -> Shape {
        var result = self
        for start in stride(from: 0, to: numbers.count, by: Self.width) {
            let center = Vector3f(numbers[start + 3], numbers[start + 4], numbers[start + 5])
            let moved = (rotated(center, rotation) + translation) * scale
            for axis in 0..<3 { result.numbers[start + 3 + axis] = moved[axis] }
            // Rows from world to local: a local axis turns as a vector does.
            for row in 0..<3 {
                let at = start + 6 + 3 * row
                let turned = rotated(Vector3f(numbers[at], numbers[at + 1], numbers[at + 2]), rotation)
                for axis in 0..<3 { result.numbers[at + axis] = turned[axis] }
            }
            for index in 15..<Self.width { result.numbers[start + index] *= scale }
            result.numbers[start + 2] *= scale
        }
        return result
    }

    /// The shape with x turned round: left and right change places. Distances stay exact: no reflection changes them.
    package var mirrored: Shape { transformed(rotation: [[-1, 0, 0], [0, 1, 0], [0, 0, 1]]) }

    /// A box that holds all of the solid, from the extents of the united primitives; with room for blends.
    var outerBox: (low: Vector3f, high: Vector3f) {
        var low = Vector3f(repeating: .infinity)
        var high = -low
        for start in stride(from: 0, to: numbers.count, by: Self.width) where numbers[start + 1] == 0 {
            let size = Array(numbers[start + 15..<start + Self.width])
            let reach: Float =
                switch Int(numbers[start]) {
                case 0, 1: Vector3f(size[0], size[1], size[2]).length
                case 2: Vector3f(size[0], max(size[1], size[2]), 0).length + size[3]
                case 3: size[0] + size[1]
                case 4: max(size[1], size[0] + size[2])
                default:
                    stride(from: 0, to: 8, by: 2).reduce(0) {
                        max($0, Vector3f(size[$1], size[$1 + 1], size[8]).length)
                    } + size[9]
                }
            let center = Vector3f(numbers[start + 3], numbers[start + 4], numbers[start + 5])
            let room = Vector3f(repeating: reach + numbers[start + 2] / 4)
            low = pointwiseMin(low, center - room)
            high = pointwiseMax(high, center + room)
        }
        return (low, high)
    }

    /// The box of the solid, to within a 96th of the outer box's longest side, and a quarter of that where it ends in a
    /// tip or an edge.
    ///
    /// Cells whose centre is farther from the surface than their corners are inside or outside as a whole; the others
    /// are divided.
    var box: (low: Vector3f, high: Vector3f) {
        let outer = outerBox
        let side = (outer.high - outer.low).max()
        let cells = 96
        let step = side / Float(cells)
        let block = 8
        var low = Vector3f(repeating: .infinity)
        var high = -low
        let coarse = ShapeSamples(
            side: cells / block, origin: outer.low + step * Float(block) / 2, step: step * Float(block), self)
        // Distances are bounds up to the ellipsoid's error, which a margin of a half covers.
        let reach = step * Float(block) * 0.867 * 1.5
        var edges: [Vector3f] = []
        for index in 0..<coarse.count where coarse.values.pointer[index] < reach {
            let corner = coarse.position(index) - step * Float(block) / 2
            let fine = ShapeSamples(side: block, origin: corner + step / 2, step: step, self)
            for place in 0..<fine.count where fine.values.pointer[place] < reach / Float(block) {
                let position = fine.position(place)
                if fine.values.pointer[place] < 0 {
                    low = pointwiseMin(low, position - step / 2)
                    high = pointwiseMax(high, position + step / 2)
                } else {
                    edges.append(position)
                }
            }
        }
        // What is thinner than a step may lie between the samples: eaves, for one, end in an edge.
        let parts = 4
        for position in edges {
            let (least, most) = (pointwiseMin(low, position - step / 2), pointwiseMax(high, position + step / 2))
            guard least != low || most != high else { continue }
            let part = step / Float(parts)
            let fine = ShapeSamples(side: parts, origin: position - step / 2 + part / 2, step: part, self)
            for place in 0..<fine.count where fine.values.pointer[place] < 0 {
                low = pointwiseMin(low, fine.position(place) - part / 2)
                high = pointwiseMax(high, fine.position(place) + part / 2)
            }
        }
        return (low, high)
    }

    /// Moved and scaled so that the longest side of its box is `side`, centred.
    package func normalized(side: Float = 1.9) -> Shape {
        let (low, high) = box
        guard low.x <= high.x else { return self }
        let identity: [Vector3f] = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
        return transformed(
            rotation: identity, translation: -(low + high) / 2, scale: side / (high - low).max())
    }
}

/// Distances of a shape at a cubic lattice of points.
struct ShapeSamples: ~Copyable {
    let side: Int
    let origin: Vector3f
    let step: Float
    /// `[side, side, side]`, z fastest.
    let values: Buffer<Float>

    var count: Int { side * side * side }

    init(side: Int, origin: Vector3f, step: Float, _ shape: Shape) {
        self.side = side
        self.origin = origin
        self.step = step
        let count = side * side * side
        values = Buffer(uninitialized: count)
        let places = Buffer<Float>(uninitialized: 3 * count)
        for index in 0..<count {
            places.pointer[index] = origin.x + step * Float(index / (side * side))
            places.pointer[count + index] = origin.y + step * Float(index / side % side)
            places.pointer[2 * count + index] = origin.z + step * Float(index % side)
        }
        shape.distances(
            x: places.pointer, y: places.pointer + count, z: places.pointer + 2 * count, into: values.pointer,
            count: count)
    }

    func position(_ index: Int) -> Vector3f {
        origin + step * Vector3f(Float(index / (side * side)), Float(index / side % side), Float(index % side))
    }
}

/// The product of a matrix of three rows and a vector.
func rotated(_ v: Vector3f, _ rows: [Vector3f]) -> Vector3f { Vector3f(rows[0].dot(v), rows[1].dot(v), rows[2].dot(v)) }
