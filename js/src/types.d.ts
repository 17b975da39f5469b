/** A text, under the name that findings and hops call it. */
export interface File {
  name: string;
  text: string;
}

/** Lies over the layers before it, as `-f` given again: a file, or the files of a folder. */
export type Layer = File | File[];

export interface ReadOptions {
  /** Values of the `${NAME}` in files. No environment variable is read. */
  variables?: Record<string, string>;
  /** The key of `sticky.hash: keyed`, 32 lowercase hex digits; without it `user` throws for such a file. Keep it out of logs. */
  hashKey?: string;
}

/** What `graylane check` found: a row of `--output json`, and where its place ends. */
export interface Finding {
  /** Only errors keep a file from being used. */
  severity: "error" | "warning" | "note";
  /** What is wrong. */
  message: string;
  file: string | null;
  /** From 1. */
  line: number | null;
  /** In characters (code points, not UTF-16), from 1. */
  column: number | null;
  endLine: number | null;
  /** Behind the last character. */
  endColumn: number | null;
  /** What to write instead. */
  help: string | null;
}

/** What is thrown: `name` is "GraylaneError". */
export interface GraylaneError extends Error {
  name: "GraylaneError";
  /** What is wrong with the file; null, if an argument is wrong. */
  findings: Finding[] | null;
}

/** What an application does not pass on: both headers (ids of requests and traces go on), one of them, or every header. */
export type Drop = "all" | "tenant" | "baggage" | "everything";

/** A request to be explained: the options of `graylane explain`. */
export interface Request {
  /** Services by their names in the file, `gateway` first for a request from outside (of several gateways `gateway:NAME`). */
  path: string[];
  /** By name, or as pairs where a header comes twice. */
  headers?: Record<string, string> | [string, string][];
  /** Claims of a verified token. */
  claims?: Record<string, unknown>;
  /** Services whose applications drop headers; as a list, each drops `all`. */
  drops?: Record<string, Drop> | string[];
  /** Which of a service's own `routes` the request matches. */
  routes?: Record<string, string>;
  /** The worker that makes the first call, and the tenant of the message that it consumed. */
  worker?: { name: string; tenant: string };
}

/** A line of a file, from 1. */
export interface Line {
  file: string;
  line: number;
}

export interface Mode {
  mode: "enforce" | "observe" | "off";
  /** The key of the file that says so. */
  key: string;
  /** Missing where it is the default. */
  at?: Line;
}

/** A call, and what was decided about it: one of `hops` of `graylane explain --output json`. */
export interface Hop {
  /** The service that is called. */
  service: string;
  /** Who decided: `gateway` (of several `gateway:NAME`), a service (its sidecar), or `pod`: some pod of the mesh. */
  by: string;
  /** null: the filter leaves the request alone. */
  tenant: string | null;
  /** Where the file has more than one mode, or another than `enforce`. */
  mode?: Mode;
  /** Where the tenant came from. */
  source: string | null;
  /** The user's sticky value. */
  unit: string | null;
  unitSource: string | null;
  /** Which of the file's `sticky.keys` the unit is made from, from 0. */
  unitKey?: number;
  /** 0 to 9999. */
  bucket: number | null;
  /** Where the request goes; null: not to a service of the file. */
  subset: string | null;
  /** Why it goes there: `pin`, `rollout`, `baseline`, or `worker`. */
  reason: string | null;
  /** The routes are external: where the request goes is not in the file. */
  isExternal?: true;
  /** The service is not `visibleTo` the caller's namespace, so its plugin does not know it. */
  isHidden?: true;
  /** It goes no further. */
  rejected?: { status: number; reason: string };
  /** The line that decided. */
  file: string | null;
  line: number | null;
  /** The rule of the edge that gave the tenant. */
  rule?: Line;
}

export interface Explained {
  hops: Hop[];
  /** What a reader may wonder about. */
  notes: string[];
}

/** Where a user is in one rollout. */
export interface Side {
  service: string;
  /** The route, if it has a rollout of its own. */
  route: string | null;
  /** Whose users take part. */
  tenants: string[];
  /** 0 to 9999. */
  bucket: number;
  /** null: another controller sets the weights. */
  subset: string | null;
  /** The share of the subset. */
  percent: number | null;
}

export interface User {
  /** The sticky value, 16 lowercase hex digits. */
  unit: string;
  sides: Side[];
}

/** Percent with up to two decimals, and which end of the buckets it fills from. */
export type Weight = number | { percent: number; from: "bottom" | "top" };

/** A change of weights: the options of `graylane simulate`. */
export interface Change {
  service: string;
  /** The new weights; canaries that are not named keep theirs. */
  to: Record<string, Weight>;
  /** The old weights, where they are not the file's. */
  from?: Record<string, Weight>;
  /** How many users `user-0`, `user-1`, … to count (default 100,000), or the keys of real ones. */
  users?: number | string[];
}

/** What `graylane simulate --output json` prints. */
export interface Simulated {
  service: string;
  users: number;
  /** Users by subset. */
  before: Record<string, number>;
  after: Record<string, number>;
  moved: number;
  /** Users who leave a canary whose weight does not fall: should be 0. */
  movedBack: number;
  matrix: { from: string; to: string; users: number }[];
  emptyLines: number;
}

/** Single users: `user-0`, `user-1`, … */
export interface Crowd {
  /** The baseline first. */
  subsets: string[];
  /** By user: index of the subset before the change. */
  before: number[];
  after: number[];
}

/** What there is in a file. */
export interface Outline {
  mesh: string;
  /** The tenant header. */
  header: string;
  /** The default tenant first. */
  tenants: string[];
  /** Where a user's key is; the first one present counts. */
  keys: { in: "header" | "cookie" | "query" | "claim" | "source"; name?: string | string[] }[];
  hasGateway: boolean;
  /** What a path from outside begins with: `gateway`, or `gateway:NAME` of each of several. */
  gateways: string[];
  hasTokens: boolean;
  services: {
    name: string;
    isExposed: boolean;
    isExternal: boolean;
    subsets: string[];
    baseline: string;
    routes: string[];
    rollout: {
      salt: string;
      tenants: string[];
      weights: {
        subset: string;
        percent: number;
        /** Where the number is written: lines and columns from 1. */
        place: { file: string; line: number; column: number; endLine: number; endColumn: number } | null;
      }[];
    } | null;
  }[];
  workers: { name: string; tenants: string[] }[];
}

/** Options of `graylane render`. Without `image` and `wasmUrl` there are no plugins. */
export interface RenderOptions {
  /** The filter's image with its digest, as `graylane push` prints it: no registry is asked. */
  image?: string;
  /** Where the filter is, if not in a registry. */
  wasmUrl?: string;
  gatewayUrl?: string;
  extension?: "wasm-plugin" | "traffic-extension";
  /** As in "1.31", which is the default. */
  istio?: string;
  istioRevision?: string;
  dataPlane?: "sidecar" | "ambient";
  /** A dashboard as ConfigMap; default: where the file has alerts. */
  dashboards?: boolean;
  /** Plain routing: no plugin, and no rule that needs the filter. */
  withoutFilter?: boolean;
  /** Only these kinds. */
  only?: string[];
}

export interface Resource {
  kind: string;
  namespace: string;
  name: string;
  /** The file of `graylane render --out`. */
  path: string;
  yaml: string;
}
