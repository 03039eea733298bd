/// The name that a person may have meant: the one with the least edits, at most a third of its letters and one; nil when
/// none is near. A name that the text begins, and no other, is near in any case.
/// - Complexity: O(names · letters²).
package func nearestName(to text: String, among names: [String]) -> String? {
    let begun = names.filter { text.count >= 2 && $0.hasPrefix(text) }
    if begun.count == 1 { return begun[0] }
    let ranked = names.map { (name: $0, edits: editDistance(Array(text.unicodeScalars), Array($0.unicodeScalars))) }
    guard let best = ranked.min(by: { $0.edits < $1.edits }), best.edits <= best.name.count / 3 + 1 else { return nil }
    return best.name
}

/// The insertions, deletions, substitutions and swaps of neighbours that turn one text into the other.
///
/// Source: Damerau, A technique for computer detection and correction of spelling errors, 1964, in the form that edits no
/// substring twice.
private func editDistance(_ a: [Unicode.Scalar], _ b: [Unicode.Scalar]) -> Int {
    var rows = [[Int]](repeating: [Int](repeating: 0, count: b.count + 1), count: a.count + 1)
    for i in 0...a.count { rows[i][0] = i }
    for j in 0...b.count { rows[0][j] = j }
    for i in 0..<a.count {
        for j in 0..<b.count {
            var least = min(rows[i][j + 1] + 1, rows[i + 1][j] + 1, rows[i][j] + (a[i] == b[j] ? 0 : 1))
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { least = min(least, rows[i - 1][j - 1] + 1) }
            rows[i + 1][j + 1] = least
        }
    }
    return rows[a.count][b.count]
}
