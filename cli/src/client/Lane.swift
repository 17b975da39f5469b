// Made by `graylane client --lang swift`. Do not edit it: when the routing file changes, write it again.
// {{mark}}

import Foundation

/// A tenant that a caller may name; the gateway's rules decide who is heard.
public enum Tenant: String, CaseIterable, Sendable {
    {{tenants}}
}

/// Who calls. A part that is nil is not sent. A user is recognised by: {{recognised}}.
public struct Lane: Sendable {
    /// The header that names the tenant.
    public static let tenantHeader = "{{header}}"
//#if user
    /// The header that keeps a user on one version.
    public static let userHeader = "{{user}}"
//#end
//#if debug
    /// The header of responses that says how a request was decided.
    public static let debugHeader = "{{debug}}"
//#end
    /// The only origins that get the headers. `*` stands for one or more labels.
    public static let hosts: [String] = [{{hosts}}]
    /// Changes whenever the contract does; for logs.
    public static let fingerprint = "{{fingerprint}}"
//#if rollouts
    /// Percent by subset, as of when this was made.
    public static let rollouts: [String: [String: Double]] = [
{{rollouts}}
    ]
//#end

    /// The tenant that is asked for.
    public var tenant: Tenant?
//#if user
    /// What stays with the user, such as the id of an account: visible ASCII.
    public var user: String?
//#end

    /// Nothing is sent until a part is set.
    public init() {}

    /// Is the address of one of `hosts`, scheme and port included? A name with a dot at its end is not.
    public static func isOurs(_ url: URL) -> Bool {
        guard let scheme = url.scheme?.lowercased(), let host = url.host?.lowercased() else { return false }
        let usual = ["https": 443, "http": 80][scheme]
        let port = url.port.flatMap { $0 == usual ? nil : ":\($0)" } ?? ""
        let origin = "\(scheme)://\(host)\(port)"
        return hosts.contains { known in
            let parts = known.split(separator: "*", omittingEmptySubsequences: false)
            guard parts.count == 2 else { return origin == known }
            return origin.hasPrefix(parts[0]) && origin.hasSuffix(parts[1]) && origin.count > parts[0].count + parts[1].count
        }
    }

    /// The request, with the lane if it goes to one of `hosts`.
    public func added(to request: URLRequest) -> URLRequest {
        guard let url = request.url, Lane.isOurs(url) else { return request }
        var request = request
        if let tenant { request.setValue(tenant.rawValue, forHTTPHeaderField: Lane.tenantHeader) }
//#if user
        if let user { request.setValue(user, forHTTPHeaderField: Lane.userHeader) }
//#end
        return request
    }
}

extension URLSession {
    /// Sends the lane to `Lane.hosts`, and to nobody else, after redirects too.
    public func data(for request: URLRequest, lane: Lane) async throws -> (Data, URLResponse) {
        try await data(for: lane.added(to: request), delegate: LaneRedirects(lane))
    }
}

/// URLSession takes headers along when it is redirected; here they go, or come, by the host.
private final class LaneRedirects: NSObject, URLSessionTaskDelegate {
    private let lane: Lane

    init(_ lane: Lane) {
        self.lane = lane
    }

    func urlSession(
        _ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection response: HTTPURLResponse,
        newRequest request: URLRequest, completionHandler: @escaping (URLRequest?) -> Void
    ) {
        var bare = request
        bare.setValue(nil, forHTTPHeaderField: Lane.tenantHeader)
//#if user
        bare.setValue(nil, forHTTPHeaderField: Lane.userHeader)
//#end
        completionHandler(lane.added(to: bare))
    }
}
