import SSDFCore
import Testing

@Suite struct AffineTransformTests {
    static let skewed = AffineTransform3(x: [2, 0.5, 0], y: [0, 3, -1], z: [1, 0, 0.25], translation: [10, -20, 30])

    @Test func inverseUndoes() throws {
        let inverse = try #require(Self.skewed.inverse)
        for p in [Vector3d(0, 0, 0), [1, 2, 3], [-1e3, 0.5, 7]] {
            #expect((inverse(Self.skewed(p)) - p).length < 1e-9)
            #expect((Self.skewed(inverse(p)) - p).length < 1e-9)
        }
    }

    @Test func composesInOrder() {
        let shift = AffineTransform3(scale: 2, translation: [1, 0, 0])
        let both = shift.composed(after: Self.skewed)
        let p = Vector3d(0.3, -4, 9)
        #expect((both(p) - shift(Self.skewed(p))).length < 1e-12)
        #expect(AffineTransform3.identity.composed(after: Self.skewed) == Self.skewed)
    }

    @Test func rowsAreTheOrderOfFiles() {
        #expect(Self.skewed.rows == [2, 0, 1, 10, 0.5, 3, 0, -20, 0, -1, 0.25, 30])
        #expect(AffineTransform3(rows: Self.skewed.rows) == Self.skewed)
    }

    @Test func determinantTellsMirroringAndSingularity() {
        #expect(AffineTransform3(scale: -1, translation: .zero).determinant == -1)
        #expect(AffineTransform3(scale: 0, translation: .zero).inverse == nil)
        #expect(AffineTransform3(scale: .infinity, translation: .zero).inverse == nil)
        #expect(AffineTransform3(scale: .nan, translation: .zero).inverse == nil)
    }
}
