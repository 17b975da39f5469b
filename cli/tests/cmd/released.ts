// Made by `graylane client --lang typescript`. Do not edit it: when the routing file changes, write it again.
// graylane-contract: {"version":1,"fingerprint":"7083cc70386f","hosts":["https://shop.acme.example","https://shop.example.com"],"header":"tenant","tenants":["gray-v1","partner-acme"],"sticky":[{"in":"token"},{"in":"gatewayCookie","name":"lane-id"}],"debugHeader":null}

/** Tenants that a caller may name; the gateway's rules decide who is heard. */
export const TENANTS = ["gray-v1", "partner-acme"] as const;
/** A tenant that a caller may name. */
export type Tenant = (typeof TENANTS)[number];
/** The header that names the tenant. */
export const TENANT_HEADER = "tenant";
/** The only origins that get the headers. `*` stands for one or more labels. */
export const HOSTS: readonly string[] = ["https://shop.acme.example", "https://shop.example.com"];
/** Changes whenever the contract does; for logs. */
export const FINGERPRINT = "7083cc70386f";

/** Who calls. A part that is undefined is not sent. A user is recognised by: the token; else the cookie `lane-id`, which the gateway sets. */
export interface Lane {
  /** The tenant that is asked for. */
  readonly tenant?: Tenant | undefined;
}

type Fetch = typeof globalThis.fetch;

/** Is it a tenant that a caller may name? */
export function isTenant(name: string): name is Tenant {
  return (TENANTS as readonly string[]).includes(name);
}

/** Is the address of one of `HOSTS`, scheme and port included? A name with a dot at its end is not. */
export function isOurs(address: string | URL): boolean {
  const url = new URL(address);
  const origin = `${url.protocol}//${url.host}`;
  return HOSTS.some((host) => {
    const [before = "", after] = host.split("*");
    if (after === undefined) return origin === host;
    return origin.startsWith(before) && origin.endsWith(after) && origin.length > before.length + after.length;
  });
}

/**
 * A `fetch` that sends the lane to `HOSTS`, and to nobody else. `fetch` itself would take the headers along when one of
 * them redirects to another host, so this follows redirects, and each request has the headers or not by its own host.
 * A browser does not tell scripts where a redirect leads: there, a redirect of `HOSTS` rejects with a TypeError.
 */
export function laneFetch(lane: () => Lane, fetch: Fetch = globalThis.fetch): Fetch {
  return async (input, init) => {
    if (!isOurs(input instanceof Request ? input.url : new Request(input).url)) return fetch(input, init);
    let request = new Request(input, init);
    if (request.redirect !== "follow") return fetch(new Request(request, { headers: headers(request, lane()) }));
    for (let redirects = 0; redirects <= 20; redirects++) {
      // A copy is sent: the body may have to be sent once more.
      const sent = new Request(request.clone(), { headers: headers(request, lane()), redirect: "follow" });
      const response = await fetch(sent);
      if (response.type === "opaqueredirect") {
        throw new TypeError(`${request.url} redirects: call the address that it leads to, or pass redirect: "manual"`);
      }
      const location = response.headers.get("location");
      if (location === null || ![301, 302, 303, 307, 308].includes(response.status)) return response;
      await response.body?.cancel();
      request = await redirected(request, response.status, new URL(location, request.url));
    }
    throw new TypeError(`${request.url}: too many redirects`);
  };
}

/** The headers of a request: with the lane if it goes to `HOSTS`. */
function headers(request: Request, lane: Lane): Headers {
  const headers = new Headers(request.headers);
  if (!isOurs(request.url)) return headers;
  if (lane.tenant !== undefined) headers.set(TENANT_HEADER, lane.tenant);
  return headers;
}

/** The request after a redirect, as the Fetch Standard has it (section 4.4, HTTP-redirect fetch). */
async function redirected(request: Request, status: number, to: URL): Promise<Request> {
  if (to.protocol !== "https:" && to.protocol !== "http:") {
    throw new TypeError(`${request.url} redirects to ${to.protocol}`);
  }
  const { method, signal } = request;
  const headers = new Headers(request.headers);
  if (to.origin !== new URL(request.url).origin) {
    for (const name of ["authorization", "cookie", "host", "proxy-authorization"]) headers.delete(name);
  }
  const gets = status === 303 ? method !== "GET" && method !== "HEAD" : status <= 302 && method === "POST";
  if (gets) {
    for (const name of ["encoding", "language", "length", "location", "type"]) headers.delete(`content-${name}`);
    return new Request(to, { method: "GET", headers, signal });
  }
  const body = method === "GET" || method === "HEAD" ? null : await request.arrayBuffer();
  return new Request(to, { method, headers, signal, body: body?.byteLength ? body : null });
}
