/// Letters of five by seven dots, and two below the line, for pictures that need a few words: ASCII; anything else shows
/// as "?".
///
/// Dots are squares of a whole number of pixels. A letter takes six dots along a line, its gap included.
enum BitmapFont {
    static let width = 6
    /// Dots from the top of a capital to the line it stands on, and to the lowest dot of all.
    static let height = 7, depth = 9

    /// Whether a dot of a letter is set.
    static func isSet(_ letter: Unicode.Scalar, column: Int, row: Int) -> Bool {
        guard column < 5 else { return false }
        let known = (32...126).contains(letter.value) ? Int(letter.value) : 63
        return letters[known - 32] >> UInt64(5 * row + column) & 1 != 0
    }

    /// From the space on: bit 5·row + column, rows from the top.
    private static let letters: [UInt64] = [
        0x000000000, 0x100421084, 0x00000014a, 0x295f57d4a, 0x11f4717c4, 0x672222273, 0x593532526, 0x000000084,
        0x208210888, 0x088842082, 0x009575480, 0x0084f9080, 0x088600000, 0x0000f8000, 0x18c000000, 0x042222210,
        0x3a33ae62e, 0x3884210c4, 0x7c226422e, 0x3a306422e, 0x211f4a988, 0x3a3083c3f, 0x3a317844c, 0x08442221f,
        0x3a317462e, 0x1910f462e, 0x00c6018c0, 0x0886018c0, 0x208208888, 0x001f07c00, 0x088882082, 0x10044422e,
        0x383daf62e, 0x463f8c544, 0x3e317c62f, 0x3a210862e, 0x3e318c62f, 0x7c217843f, 0x04217843f, 0x3a31e862e,
        0x4631fc631, 0x38842108e, 0x19284211c, 0x452519531, 0x7c2108421, 0x4631ad771, 0x4739ace71, 0x3a318c62e,
        0x04217c62f, 0x59358c62e, 0x45257c62f, 0x3e107043e, 0x10842109f, 0x3a318c631, 0x114a8c631, 0x4775ac631,
        0x462a22a31, 0x108422a31, 0x7c222221f, 0x38421084e, 0x420820821, 0x39084210e, 0x000004544, 0xf800000000,
        0x000000082, 0x7a3e83800, 0x3e318bc21, 0x3a210b800, 0x7a318fa10, 0x383f8b800, 0x084238a4c, 0xe87a318f800,
        0x46319b421, 0x388421804, 0x64a10843008, 0x24a32a421, 0x388421086, 0x56b5aac00, 0x46319b400, 0x3a318b800,
        0x10be318bc00, 0x1087a318f800, 0x04219b400, 0x3e0e0f800, 0x324211c42, 0x5b318c400, 0x11518c400, 0x2ab58c400,
        0x454454400, 0xe87a318c400, 0x7c4447c00, 0x608411098, 0x108421084, 0x0c8441083, 0x0009ac800,
    ]
}
