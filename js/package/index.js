// What wasm-bindgen made, and its module out of the file beside: one instance for all who import this.
import { readFileSync } from "node:fs";
import { initSync } from "./graylane.js";

initSync({ module: readFileSync(new URL("./graylane.wasm", import.meta.url)) });

export { Mesh, bucket, check, keyedUnit, open, subset, unit, version } from "./graylane.js";
