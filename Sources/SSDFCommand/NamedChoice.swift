import ArgumentParser

/// A choice that is typed by its name on the command line, not by the number that files hold.
package protocol NamedChoice: ExpressibleByArgument, CaseIterable, RawRepresentable
where RawValue: ExpressibleByArgument {
    var name: String { get }
}

extension NamedChoice {
    /// The choice of that name; nil when there is none.
    package init?(argument: String) {
        guard let choice = Self.allCases.first(where: { $0.name == argument }) else { return nil }
        self = choice
    }

    /// As the help shows it.
    package var defaultValueDescription: String { name }
    /// What may be typed.
    package static var allValueStrings: [String] { allCases.map(\.name) }
}
