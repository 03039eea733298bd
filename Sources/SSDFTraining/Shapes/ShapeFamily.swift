import SSDFCore

/// The kinds of procedural object. Each has real parts with continuous sizes and a few either-or choices; the walls and
/// rods of all are about five voxels thick or more at 128³.
package enum ShapeFamily: String, CaseIterable, Sendable {
    case chair, stool, table, bed, lamp, mug, bottle, vase, airplane, boat, tower, gear, rocket, sword, hammer, house
    case car, quadruped, person, mushroom, tree

    /// Whether a mirrored object, left and right changed, is as good an object of the family, in a pose that the family has.
    ///
    /// Three legs, three or four fins, and branches along a spiral stand at fixed angles, which are not those of their
    /// mirror image: a picture of it could as well be of an object as the family has it, seen from another side.
    package var hasMirrorImages: Bool { ![.stool, .rocket, .tree].contains(self) }

    /// An object of this family, in units of its own.
    package func shape(_ generator: Philox) -> Shape {
        var builder = ShapeBuilder(generator)
        switch self {
        case .chair: builder.chair()
        case .stool: builder.stool()
        case .table: builder.table()
        case .bed: builder.bed()
        case .lamp: builder.lamp()
        case .mug: builder.mug()
        case .bottle: builder.bottle()
        case .vase: builder.vase()
        case .airplane: builder.airplane()
        case .boat: builder.boat()
        case .tower: builder.tower()
        case .gear: builder.gear()
        case .rocket: builder.rocket()
        case .sword: builder.sword()
        case .hammer: builder.hammer()
        case .house: builder.house()
        case .car: builder.car()
        case .quadruped: builder.quadruped()
        case .person: builder.person()
        case .mushroom: builder.mushroom()
        case .tree: builder.tree()
        }
        return builder.shape
    }
}
