import SSDFNeural

extension DinoEncoderConfig {
    /// Rows that a tape keeps of a block.
    static var tapeRows: Double { 19 }

    /// Bytes of a row for each token of a picture.
    var tapeRow: Double {
        let across = size / patchSize
        return Double((across * across + registerTokens + 1) * embedDim * 4)
    }

    /// Bytes of a picture's tape that are no block's: some rows, and the picture several times.
    var tapeRest: Double { 8 * tapeRow + Double(12 * size * size * 4) }
}
